"""The pages ``/``, ``/verify`` and ``/operate``, the API reference, and their static files."""

from __future__ import annotations

import importlib.resources
from pathlib import Path
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from starlette.requests import Request

router = APIRouter()
files = StaticFiles(directory=WEB)


@router.get("/", include_in_schema=False)
async def page() -> FileResponse:
    """The page."""
    return FileResponse(WEB / "index.html", headers={"Content-Security-Policy": POLICY})


@router.get("/operate", include_in_schema=False)
async def operate() -> FileResponse:
    """The operator's page."""
    return FileResponse(WEB / "operate.html", headers={"Content-Security-Policy": POLICY})


@router.get("/docs", include_in_schema=False)
async def reference() -> FileResponse:
    """The API reference: Swagger UI over ``/openapi.json``, without any other host."""
    headers = {"Content-Security-Policy": REFERENCE_POLICY}
    return FileResponse(WEB / "reference.html", headers=headers)


@router.get("/verify", include_in_schema=False)
async def verify() -> FileResponse:
    """The page on which anybody finds out what a file is."""
    return FileResponse(WEB / "verify.html", headers={"Content-Security-Policy": POLICY})


@router.get("/favicon.ico", include_in_schema=False)
async def icon() -> FileResponse:
    """The icon, where a browser looks for it by itself."""
    return FileResponse(WEB / "icon.svg", media_type="image/svg+xml")


def not_found(request: Request) -> FileResponse | None:
    """The page for a person at an address that leads nowhere; None: a program asks."""
    if request.url.path.startswith("/v1/") or "text/html" not in request.headers.get("Accept", ""):
        return None
    headers = {"Content-Security-Policy": POLICY}
    return FileResponse(WEB / "404.html", status_code=404, headers=headers)
