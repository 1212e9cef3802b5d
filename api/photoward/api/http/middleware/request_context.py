"""Every request's id, security headers, log line, metrics and trace.

Plain ASGI and the outermost layer, so that it sees every response.
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

import structlog
from starlette.datastructures import Headers, MutableHeaders

from photoward.api.http.errors import internal_error
from photoward.core.telemetry import HTTP_REQUEST_DURATION, HTTP_REQUESTS

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from photoward.core.tracing import RequestSpan, Tracer

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}

METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"})

log = structlog.get_logger("photoward.http")


class RequestContextMiddleware:
    """Gives each request an id, and records how it was answered."""

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self.app = app
        self.tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and the response back with the headers added."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_headers = Headers(scope=scope)
        request_id = _request_id(request_headers.get("x-request-id"))
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        started = time.perf_counter()
        with (
            structlog.contextvars.bound_contextvars(request_id=request_id),
            self.tracer.request(request_headers) as span,
        ):
            try:
                await self.app(scope, receive, send_with_headers)
            except Exception:  # the outermost layer: from here it would leave as plain text
                log.exception("request_broke", method=scope["method"], route=_route(scope))
                if status:  # half an answer cannot be mended: the server cuts the connection
                    raise
                await internal_error()(scope, receive, send_with_headers)
            finally:
                _record(span, scope, status, time.perf_counter() - started)


def _record(span: RequestSpan, scope: Scope, status: int, seconds: float) -> None:
    method = scope["method"] if scope["method"] in METHODS else "other"
    route = _route(scope)
    HTTP_REQUESTS.labels(method, route, str(status)).inc()
    HTTP_REQUEST_DURATION.labels(method, route).observe(seconds)
    span.record_response(method, route, status)
    log.info("request", method=method, route=route, status=status, ms=round(seconds * 1e3, 1))


def _route(scope: Scope) -> str:
    # The pattern, never the path: ids would make a new time series each.
    return getattr(scope.get("route"), "path", None) or "unmatched"


def _request_id(offered: str | None) -> str:
    """A proxy's id if it is a UUID, so that both logs can be joined; else a fresh one."""
    try:
        return str(uuid.UUID(offered))
    except (TypeError, ValueError):
        return str(uuid.uuid4())
