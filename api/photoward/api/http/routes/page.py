"""The web page at ``/``, the API reference at ``/docs``, and their static files."""

from __future__ import annotations

import importlib.resources
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse
from starlette.staticfiles import StaticFiles

WEB = Path(str(importlib.resources.files("photoward.api.web"))) / "static"
"""Found as data, not imported: the page and this face know each other by ``/v1`` only."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

REFERENCE_POLICY = POLICY.replace("img-src 'self' blob:", "img-src 'self' data:")
"""The reference's style sheet holds its icons as ``data:`` URLs."""

router = APIRouter()
files = StaticFiles(directory=WEB)


@router.get("/", include_in_schema=False)
async def page() -> FileResponse:
    """The page."""
    return FileResponse(WEB / "index.html", headers={"Content-Security-Policy": POLICY})


@router.get("/docs", include_in_schema=False)
async def reference() -> FileResponse:
    """The API reference: Swagger UI over ``/openapi.json``, without any other host."""
    headers = {"Content-Security-Policy": REFERENCE_POLICY}
    return FileResponse(WEB / "reference.html", headers=headers)
