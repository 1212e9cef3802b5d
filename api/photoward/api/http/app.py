"""The application: its routes, what surrounds them, and the services that they work with."""

from __future__ import annotations

import threading
from contextlib import ExitStack, asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from anyio import CapacityLimiter
from fastapi import Depends, FastAPI

from photoward.api.delivery.previews import PreviewMaker
from photoward.api.http import errors
from photoward.api.http.auth_failures import AuthFailureAudit
from photoward.api.http.body.reader import discard_unexpected_body
from photoward.api.http.deps import Services
from photoward.api.http.middleware.cors import allow_origins
from photoward.api.http.middleware.origin_check import OriginCheckMiddleware
from photoward.api.http.middleware.request_context import RequestContextMiddleware
from photoward.api.http.middleware.slow_body import SlowBodyMiddleware
from photoward.api.http.openapi import describe
from photoward.api.http.rate_limit import RateLimit
from photoward.api.http.responses import MAX_STORE_CALLS, MAX_STORE_WRITES, MAX_VERIFICATIONS
from photoward.api.http.routes import (
    audit,
    batches,
    content,
    events,
    images,
    installation,
    keys,
    manifests,
    operations,
    page,
    previews,
    protect,
    upload_tokens,
    uploads,
    verify,
    webhooks,
)
from photoward.api.http.routes import catalogue as catalogue_routes
from photoward.api.ingest.admission import Admission
from photoward.api.ingest.fetcher import Fetcher
from photoward.api.ingest.notifier import WorkerNotifier
from photoward.api.ingest.sources import open_sources
from photoward.api.verification.verifier import Verifier
from photoward.core.catalogue import Catalogue
from photoward.core.key_derivation import read_or_make_master
from photoward.core.ledger import open_ledger, require_keys
from photoward.core.queue import open_wake_up_sender
from photoward.core.settings import Settings
from photoward.core.storage import open_store
from photoward.core.telemetry import configure_logging, serve_metrics
from photoward.core.tracing import NO_OP, open_tracer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from photoward.core.ledger import Ledger
    from photoward.core.queue import WakeUpSender
    from photoward.core.storage import ObjectStore
    from photoward.core.tracing import Tracer

ROUTES = (
    images,
    content,
    previews,
    protect,
    uploads,
    upload_tokens,
    batches,
    manifests,
    events,
    verify,
    webhooks,
    keys,
    audit,
    catalogue_routes,
    operations,
    installation,
    page,
)
"""In the order of the API's description."""

DESCRIPTION = """Adds noise to photos that is hard to see and makes them unprofitable to train on.

Submit a photo to `POST /v1/images`, poll its `Location` until its state is `succeeded`, then
download `content`; `Prefer: wait=20` combines the first two. Every error is a problem as in RFC
9457 with a stable `code`."""


def create_app(  # noqa: PLR0913  # one collaborator each
    settings: Settings,
    *,
    ledger: Ledger,
    store: ObjectStore,
    wake_ups: WakeUpSender,
    catalogue: Catalogue,
    master: bytes,
    tracer: Tracer = NO_OP,
) -> FastAPI:
    """The ASGI application over the given adapters, which the caller closes."""
    app = FastAPI(
        title="Photoward",
        version=version("photoward"),
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        docs_url=None,  # they load scripts from other hosts
        redoc_url=None,
        lifespan=_lifespan,
        dependencies=[Depends(discard_unexpected_body)],
        # Its own spans hold queries, and so labels; what it logs holds what exceptions say.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    notifier = WorkerNotifier(wake_ups)
    app.state.closing = ExitStack()
    app.state.closing.callback(notifier.close)
    previews = PreviewMaker(settings)
    app.state.closing.callback(previews.close)
    verifier = Verifier(ledger, store, settings)
    app.state.closing.callback(verifier.close)
    app.state.services = Services(
        settings=settings,
        ledger=ledger,
        store=store,
        wake_ups=wake_ups,
        catalogue=catalogue,
        admission=Admission(ledger, settings),
        notifier=notifier,
        sources=open_sources(settings, ledger, store),
        fetch_wake_up=threading.Event(),
        tracer=tracer,
        master=master,
        auth_failures=AuthFailureAudit(ledger),
        verifier=verifier,
        verify_limit=RateLimit(settings.verify_per_minute),
        verifications=CapacityLimiter(MAX_VERIFICATIONS),
        store_writes=CapacityLimiter(MAX_STORE_WRITES),
        store_calls=CapacityLimiter(MAX_STORE_CALLS),
        previews=previews,
        preview_slot=CapacityLimiter(1),
        health_checks={
            name: CapacityLimiter(operations.MAX_CHECKS) for name in operations.COMPONENTS
        },
    )
    app.state.fetcher = Fetcher(app.state.services)
    for routes in ROUTES:
        app.include_router(routes.router)
    app.mount("/static", page.files)
    app.openapi = describe(app, keys_required=settings.keys_required)  # type: ignore[method-assign]  # FastAPI's own way
    errors.install(app, page.not_found)
    _add_middleware(app, settings, tracer)
    return app


def _add_middleware(app: FastAPI, settings: Settings, tracer: Tracer) -> None:
    """From the inside outwards."""
    app.add_middleware(
        SlowBodyMiddleware,
        timeout_s=settings.http_body_timeout_seconds,
        min_rate=settings.http_body_min_bytes_per_second,
    )
    if not settings.keys_required:
        app.add_middleware(
            OriginCheckMiddleware,
            own=settings.http_host,
            allowed=settings.http_allowed_hosts,
            origins=settings.http_cors_origins,
        )
    if settings.http_cors_origins:
        app.add_middleware(allow_origins, origins=settings.http_cors_origins)
    app.add_middleware(RequestContextMiddleware, tracer=tracer)


def open_app(settings: Settings) -> FastAPI:
    """The application over the ledger, store and broker that the settings name.

    Raises:
        BadInput: it would listen to other machines, and there is no API key.
        Unavailable: the ledger or the store cannot be opened.
    """
    configure_logging(json=True)
    ledger = open_ledger(settings)
    require_keys(settings, ledger)
    if settings.metrics_port:
        serve_metrics(settings.http_host, settings.metrics_port, operations.QueueCollector(ledger))
    tracer = open_tracer("api")
    app = create_app(
        settings,
        ledger=ledger,
        store=open_store(settings),
        wake_ups=open_wake_up_sender(settings),
        catalogue=Catalogue.of(settings),
        master=read_or_make_master(settings.master_secret),
        tracer=tracer,
    )
    app.state.closing.callback(tracer.close)
    app.state.closing.callback(ledger.close)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    with app.state.closing, app.state.fetcher:
        yield
