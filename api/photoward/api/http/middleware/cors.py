"""Cross-origin requests: which pages of other sites may use the API from a browser (W3C Fetch)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.middleware.cors import CORSMiddleware

from photoward.api.http.headers.figures import FIGURE_HEADERS

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
MAX_AGE_S = 600
"""How long a browser may remember what it was allowed."""

EXPOSED_HEADERS = (
    "Batch-Complete",
    "Content-Disposition",
    "Content-Location",
    "ETag",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Repr-Digest",
    "Retry-After",
    "Tus-Checksum-Algorithm",
    "Tus-Extension",
    "Tus-Max-Size",
    "Tus-Resumable",
    "Tus-Version",
    "Upload-Expires",
    "Upload-Length",
    "Upload-Metadata",
    "Upload-Offset",
    "X-Request-ID",
    *FIGURE_HEADERS,
)
"""Headers of answers that a page may read."""


def allow_origins(app: ASGIApp, origins: Collection[str]) -> ASGIApp:
    """The application, for the pages of these origins too (``*``: of all); without cookies."""
    return CORSMiddleware(
        app,
        allow_origins=list(origins),
        allow_methods=METHODS,
        allow_headers=["*"],
        expose_headers=EXPOSED_HEADERS,
        max_age=MAX_AGE_S,
    )
