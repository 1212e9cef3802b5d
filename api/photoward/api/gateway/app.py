"""The gateway's application: ``GET`` and ``HEAD`` of any file, health, nothing else."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

import structlog
from anyio import CapacityLimiter
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from starlette.exceptions import HTTPException

from photoward.api.gateway.kinds import CLASSES
from photoward.api.gateway.library import Found, Library, PassedFile
from photoward.api.gateway.outbox import Outbox
from photoward.api.gateway.protector import Protector, parse_options
from photoward.api.http import errors
from photoward.api.http.headers.ranges import parse_range
from photoward.api.http.headers.representation import (
    RESERVATION,
    digest_headers,
    extent_headers,
    has_tag,
)
from photoward.api.http.middleware.request_context import RequestContextMiddleware
from photoward.api.http.responses import MAX_STORE_CALLS, stream_in_thread
from photoward.api.http.schemas.problems import Problem
from photoward.core.errors import BadInput, PhotowardError, Unavailable
from photoward.core.storage import open_store
from photoward.core.storage.origins import ChangedFile, OriginName, open_origin
from photoward.core.telemetry import configure_logging, serve_metrics
from photoward.core.tracing import NO_OP

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from photoward.core.settings import Settings

NO_STORE = {"Cache-Control": "no-store"}
PUBLIC = {"Cross-Origin-Resource-Policy": "cross-origin", "Access-Control-Allow-Origin": "*"}
"""Media are shown by other sites."""
PROTECTING_S = 300.0
"""Longest time for one photo; requests stop waiting before."""
SWEEP_AGE_S = 600.0
"""Age of a protected file before a sweep may delete it: its photo may be in no listing yet."""

log = structlog.get_logger("photoward.gateway")


@dataclass(frozen=True)
class Facade:
    """What requests need of the process."""

    library: Library
    query: frozenset[str]
    """Parameters that belong to a file's name."""
    max_age_s: int
    readers: CapacityLimiter

    def name(self, request: Request) -> OriginName:
        """The name of the file that a request asks for. Raises NotFound."""
        given = parse_qsl(request.url.query, keep_blank_values=True)
        query = urlencode(sorted((key, value) for key, value in given if key in self.query))
        return OriginName.parse(request.scope["path"], query)


def create_app(facade: Facade, sweep_interval_s: float) -> FastAPI:
    """The ASGI application over a library."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(_sweep(facade.library, sweep_interval_s))
        try:
            yield
        finally:
            sweeping.cancel()
            with suppress(asyncio.CancelledError):
                await sweeping
            await facade.library.close()

    app = FastAPI(title="Photoward gateway", openapi_url=None, docs_url=None, lifespan=lifespan)
    app.state.facade = facade
    app.add_api_route("/livez", _live, methods=["GET", "HEAD"])
    app.add_api_route("/readyz", _ready, methods=["GET", "HEAD"])
    app.add_api_route("/{name:path}", _serve, methods=["GET", "HEAD"])
    errors.install(app, lambda _request: None)  # it has no pages
    app.add_exception_handler(PhotowardError, _refused)
    app.add_exception_handler(HTTPException, _not_allowed)
    app.add_middleware(RequestContextMiddleware, tracer=NO_OP)
    return app


def open_app(settings: Settings) -> FastAPI:
    """The application over the places and the service that the settings name.

    Raises:
        BadInput: a setting cannot be used.
        Unavailable: the outbox cannot be opened.
    """
    configure_logging(json=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs queries, which may hold a label
    facade = Facade(
        open_library(settings),
        frozenset(settings.gateway_query),
        int(settings.gateway_max_age_seconds),
        CapacityLimiter(MAX_STORE_CALLS),
    )
    if settings.metrics_port:
        serve_metrics(settings.http_host, settings.metrics_port)
    return create_app(facade, settings.gateway_sweep_interval_seconds)


def open_library(settings: Settings) -> Library:
    """The library of the settings. Raises as ``open_app``."""
    if settings.gateway_inbox is None or settings.gateway_outbox is None:
        raise BadInput("invalid_option", "Name the inbox and the outbox of the gateway.")
    places = sorted(
        f"{one.rstrip('/')}/" for one in (settings.gateway_inbox, settings.gateway_outbox)
    )
    if places[1].startswith(places[0]):
        raise BadInput("invalid_option", "The inbox and the outbox must lie beside each other.")
    if unknown := set(settings.gateway_pass) - set(CLASSES):
        raise BadInput(
            "invalid_option",
            f"PHOTOWARD_GATEWAY_PASS does not know {', '.join(sorted(unknown))}; there are: "
            f"{', '.join(CLASSES)}.",
        )
    options = parse_options(settings.gateway_options or "")
    store = open_store(settings.model_copy(update={"storage_url": settings.gateway_outbox}))
    key = settings.api_key.get_secret_value().strip() if settings.api_key else None
    return Library(
        open_origin(settings.gateway_inbox, settings),
        Outbox(store, urlencode(sorted(options.items()))),
        Protector(settings.gateway_service_url, key, options, PROTECTING_S),
        passed=frozenset(settings.gateway_pass),
        deadline_s=settings.gateway_deadline_seconds,
        recheck_s=settings.gateway_recheck_seconds,
        max_bytes=settings.upload_max_bytes,
    )


async def _live() -> dict[str, str]:
    return {"status": "alive"}


async def _ready(request: Request) -> dict[str, str]:
    """Raises Unavailable: the outbox or the service does not answer."""
    facade: Facade = request.app.state.facade
    await facade.library.check()
    return {"status": "ready"}


async def _serve(request: Request) -> Response:
    facade: Facade = request.app.state.facade
    name = facade.name(request)
    found = await facade.library.find(name)
    try:
        return await _answer(facade, request, name, found)
    except ChangedFile:
        facade.library.forget(name)
        return await _answer(facade, request, name, await facade.library.find(name))


async def _answer(facade: Facade, request: Request, name: OriginName, found: Found) -> Response:
    headers = _headers(found, facade.max_age_s)
    if has_tag(headers["ETag"], request.headers.get("if-none-match")):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    length = found.length
    part = None
    if length is not None and not (isinstance(found, PassedFile) and not found.can_seek):
        headers["Accept-Ranges"] = "bytes"
        part = parse_range(
            request.headers.get("range"), request.headers.get("if-range"), headers["ETag"], length
        )
    if request.method == "HEAD":
        part = None
    if length is not None and part is not None and not part.length:
        return errors.range_not_satisfiable(length)
    if length is not None:
        headers |= extent_headers(length, part)
    if request.method == "HEAD":
        return Response(headers=headers, media_type=found.media_type)
    start, end = (part.start, part.end) if part else (0, None)
    chunks = await facade.library.opened(name, found, start, end)
    body = stream_in_thread(chunks, facade.readers)
    status = HTTPStatus.PARTIAL_CONTENT if part else HTTPStatus.OK
    return StreamingResponse(body, status, headers, found.media_type)


def _headers(found: Found, max_age_s: int) -> dict[str, str]:
    common = {"Cache-Control": f"public, max-age={max_age_s}", **PUBLIC}
    if isinstance(found, PassedFile):
        tag = hashlib.sha256(found.version.encode()).hexdigest()
        return {"ETag": f'"{tag}"', **common}
    return {**digest_headers(found.sha256), **common, **RESERVATION}


def _refused(_request: Request, error: Exception) -> Response:
    """No cache may keep a refusal: the next request may find the file protected."""
    if not isinstance(error, PhotowardError):
        raise TypeError(error)
    if isinstance(error, Unavailable):  # to the public it is all the same: later, perhaps
        problem = Problem.of("unavailable", error.detail)
    else:
        problem = Problem.of_error(error)
    return errors.problem_response(problem, {**NO_STORE, **PUBLIC})


def _not_allowed(request: Request, _error: Exception) -> Response:
    """Every path is a route: only the method can be wrong."""
    problem = Problem.of("method_not_allowed", f"{request.method} is not allowed.")
    return errors.problem_response(problem, {"Allow": "GET, HEAD", **NO_STORE, **PUBLIC})


async def _sweep(library: Library, interval_s: float) -> None:
    while True:
        await asyncio.sleep(interval_s)
        try:
            deleted = await library.sweep(max(SWEEP_AGE_S, interval_s))
        except Unavailable as error:
            log.warning("not_swept", detail=error.detail)
        else:
            log.info("swept", deleted=deleted)
