"""The application: which routes there are, what is around them, and what they work with."""

from __future__ import annotations

import threading
from contextlib import ExitStack, asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from anyio import CapacityLimiter
from fastapi import Depends, FastAPI

from photoward.api.http import errors
from photoward.api.http.auth_failures import Refusals
from photoward.api.http.body.reader import pass_over
from photoward.api.http.deps import Parts
from photoward.api.http.middleware.origin_check import Neighbours
from photoward.api.http.middleware.request_context import Envelope
from photoward.api.http.middleware.slow_body import Patience
from photoward.api.http.responses import MOST_AT_STORE, MOST_STORING
from photoward.api.http.routes import (
    audit,
    batches,
    content,
    events,
    images,
    keys,
    manifests,
    operations,
    page,
    protect,
    uploads,
    webhooks,
)
from photoward.api.http.routes import catalogue as catalogue_routes
from photoward.api.ingest.admission import Admission
from photoward.api.ingest.fetcher import Fetcher
from photoward.api.ingest.notifier import Announcer
from photoward.api.ingest.sources import kinds
from photoward.core.catalogue import Catalogue
from photoward.core.key_derivation import read_or_make_master
from photoward.core.ledger import open_ledger, require_keys
from photoward.core.queue import open_hints
from photoward.core.settings import Settings
from photoward.core.storage import open_store
from photoward.core.telemetry import configure_logging, serve_metrics
from photoward.core.tracing import SILENT, open_tracer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from photoward.core.ports import Hints, Ledger, ObjectStore
    from photoward.core.tracing import Tracer

ROUTES = (
    images, content, protect, uploads, batches, manifests, events, webhooks, keys, audit,
    catalogue_routes, operations, page,
)  # fmt: skip

DESCRIPTION = """Adds noise to photos that is hard to see and makes them unprofitable to train on.

Hand in a photo at `POST /v1/images`, ask at its `Location` until its state is `done`, then fetch
`content`; or send `Prefer: wait=20` and have the first two in one. Every refusal is a problem as
in RFC 9457 with a stable `code`."""


def create_app(  # noqa: PLR0913  # one collaborator each
    settings: Settings,
    *,
    ledger: Ledger,
    store: ObjectStore,
    hints: Hints,
    catalogue: Catalogue,
    master: bytes,
    tracer: Tracer = SILENT,
) -> FastAPI:
    """The ASGI application over the given adapters, which stay the caller's to close."""
    app = FastAPI(
        title="Photoward",
        version=version("photoward"),
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        docs_url=None,  # they load scripts from other hosts
        redoc_url=None,
        lifespan=_lifespan,
        dependencies=[Depends(pass_over)],
        # Its own spans hold queries, and so labels; what it logs holds what exceptions say.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    announcer = Announcer(hints)
    app.state.closing = ExitStack()
    app.state.closing.callback(announcer.close)
    app.state.parts = Parts(
        settings=settings, ledger=ledger, store=store, hints=hints, catalogue=catalogue,
        admission=Admission(ledger, settings), announcer=announcer,
        storing=CapacityLimiter(MOST_STORING), at_store=CapacityLimiter(MOST_AT_STORE),
        checks={part: CapacityLimiter(operations.MOST_CHECKS) for part in operations.PARTS},
        kinds=kinds(settings, ledger, store),
        expecting=threading.Event(), master=master, tracer=tracer, refusals=Refusals(ledger),
    )  # fmt: skip
    app.state.fetcher = Fetcher(app.state.parts)
    for routes in ROUTES:
        app.include_router(routes.router)
    app.mount("/static", page.files)
    errors.install(app)
    app.add_middleware(
        Patience,
        grace_s=settings.http_body_timeout_seconds,
        bytes_per_s=settings.http_body_min_bytes_per_second,
    )
    if not settings.keys_required:
        app.add_middleware(Neighbours, own=settings.http_host, named=settings.http_allowed_hosts)
    app.add_middleware(Envelope, tracer=tracer)
    return app


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
        serve_metrics(settings.http_host, settings.metrics_port, operations.Depth(ledger))
    tracer = open_tracer("api")
    app = create_app(
        settings,
        ledger=ledger,
        store=open_store(settings),
        hints=open_hints(settings),
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
