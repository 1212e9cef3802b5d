"""What endpoints are given: the application's parts, who asks, a well-formed id.

Coroutines, though they wait for nothing: for a plain function FastAPI takes a thread each time.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from typing import Annotated

import structlog
from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Header, Path, Request

from photoward.api.http.auth_failures import Refusals
from photoward.api.http.schemas.images import EXAMPLE_ID
from photoward.api.ingest.admission import Admission
from photoward.api.ingest.notifier import Announcer
from photoward.api.ingest.sources import Kind
from photoward.core import api_keys, audit, key_derivation
from photoward.core.api_keys import DEFAULT_TENANT, Scope
from photoward.core.audit import Actor
from photoward.core.catalogue import Catalogue
from photoward.core.errors import Denied
from photoward.core.jobs import well_formed
from photoward.core.ports import Hints, Ledger, ObjectStore
from photoward.core.settings import Settings
from photoward.core.tracing import Tracer


@dataclass(frozen=True)
class Parts:
    """Everything the endpoints work with."""

    settings: Settings
    ledger: Ledger
    store: ObjectStore
    hints: Hints
    catalogue: Catalogue
    admission: Admission
    announcer: Announcer
    storing: CapacityLimiter
    """How many uploads are written at a time: a store may hold each whole in memory."""
    at_store: CapacityLimiter
    """How many threads wait for whatever else the store does."""
    checks: Mapping[str, CapacityLimiter]
    """How many wait for each part to say that it is there."""
    kinds: Mapping[str, Kind]
    """Sources that manifests may name."""
    expecting: threading.Event
    """Set when there is something to fetch."""
    master: bytes
    """The master secret: under what follows from it API keys are kept and webhooks signed."""
    tracer: Tracer
    refusals: Refusals

    @cached_property
    def pepper(self) -> bytes:
        """Under which API keys are kept."""
        return key_derivation.pepper(self.master)

    @cached_property
    def keys_required(self) -> bool:
        """See the settings; asked with every request."""
        return self.settings.keys_required


async def parts(request: Request) -> Parts:
    """The parts that ``create_app`` was given."""
    found = request.app.state.parts
    if not isinstance(found, Parts):
        raise TypeError(found)
    return found


def tenant(scope: Scope) -> Callable[[Request], Awaitable[str]]:
    """A dependency that gives the tenant who is asking, from the key alone.

    It raises Denied: ``unauthenticated`` without a good key, ``forbidden`` if it has not the scope.
    """

    async def asking(request: Request) -> str:
        own = await parts(request)
        text = _presented(request)
        if text is None and not own.keys_required:
            _act_as(audit.ANYONE, request)
            if scope is not Scope.READ:
                salt = await to_thread.run_sync(own.ledger.tenant_salt, DEFAULT_TENANT)
                api_keys.enter(DEFAULT_TENANT, salt)
            return DEFAULT_TENANT
        _act_as(audit.STRANGER, request)
        key = await to_thread.run_sync(_known, own, text or "")
        structlog.contextvars.bind_contextvars(key=key.id)
        _act_as(key.id, request)
        if scope not in key.scopes:
            await to_thread.run_sync(own.refusals.note, "forbidden", key.id)
            raise Denied("forbidden", f"It needs the scope {scope}.")
        api_keys.enter(key.tenant, key.salt)
        return key.tenant

    return asking


def _act_as(name: str, request: Request) -> None:
    """What is done from here on is this caller's deed."""
    told = structlog.contextvars.get_contextvars().get("request_id")
    audit.act_as(Actor(name, told, _address(request)))


def _address(request: Request) -> str | None:
    """Of the caller, or of a proxy that uvicorn does not believe (``FORWARDED_ALLOW_IPS``)."""
    try:
        return str(ip_address(request.client.host if request.client else ""))
    except ValueError:  # a socket's path, or whatever a proxy passes on
        return None


def _presented(request: Request) -> str | None:
    """The key in the request, in whichever of the two headers."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return request.headers.get("x-api-key")


def _known(own: Parts, text: str) -> api_keys.ApiKey:
    key_id = api_keys.id_of(text)
    key = own.ledger.live_key(key_id) if key_id else None
    if key is None or not api_keys.fits(text, key, own.pepper):
        own.refusals.note("unauthenticated", key_id)
        raise Denied("unauthenticated", "The request has no valid API key.")
    return key


async def item_id(
    image_id: Annotated[str, Path(description="As given by the upload.", examples=[EXAMPLE_ID])],
) -> str:
    """A photo's id in the path."""
    return well_formed(image_id, 32)


async def upload_id(
    upload_id: Annotated[str, Path(description="As given with the upload.", examples=[EXAMPLE_ID])],
) -> str:
    """An upload's."""
    return well_formed(upload_id, 32)


async def batch_id(
    batch_id: Annotated[str, Path(description="As given by the batch.", examples=[EXAMPLE_ID])],
) -> str:
    """A batch's."""
    return well_formed(batch_id, 32)


async def key_id(
    key_id: Annotated[str, Path(description="As given with the key.", examples=[EXAMPLE_ID[:16]])],
) -> str:
    """A key's."""
    return well_formed(key_id, 16)


async def webhook_id(
    webhook_id: Annotated[
        str, Path(description="As given with the webhook.", examples=[EXAMPLE_ID[:16]])
    ],
) -> str:
    """A webhook's."""
    return well_formed(webhook_id, 16)


async def request_key(
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key", min_length=1, max_length=255,
            description="Of your choice. A request that is sent again with it within 24 hours is "
            "not done again.",
        ),
    ] = None,
) -> str | None:  # fmt: skip
    """The caller's name for this request, in a form that any ledger keeps."""
    return None if key is None else hashlib.sha256(key.encode()).hexdigest()


PartsDep = Annotated[Parts, Depends(parts)]
ReaderDep = Annotated[str, Depends(tenant(Scope.READ))]
WriterDep = Annotated[str, Depends(tenant(Scope.WRITE))]
AdminDep = Annotated[str, Depends(tenant(Scope.ADMIN))]
OperatorDep = Annotated[str, Depends(tenant(Scope.OPERATOR))]
"""The tenant who asks, if its key allows that much."""

ItemIdDep = Annotated[str, Depends(item_id)]
UploadIdDep = Annotated[str, Depends(upload_id)]
BatchIdDep = Annotated[str, Depends(batch_id)]
KeyIdDep = Annotated[str, Depends(key_id)]
WebhookIdDep = Annotated[str, Depends(webhook_id)]
RequestKeyDep = Annotated[str | None, Depends(request_key)]
