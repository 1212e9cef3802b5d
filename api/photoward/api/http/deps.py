"""What endpoints are given: the process's services, and well-formed ids.

Coroutines, though they wait for nothing: a plain function would take a thread each time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

from anyio import CapacityLimiter
from fastapi import Depends, Header, Path, Request

from photoward.api.delivery.previews import PreviewMaker
from photoward.api.http.auth_failures import AuthFailureAudit
from photoward.api.http.rate_limit import RateLimit
from photoward.api.ingest.options import EXAMPLE_ID
from photoward.api.ingest.services import IngestServices
from photoward.api.verification.verifier import Verifier
from photoward.core import key_derivation
from photoward.core.errors import BadInput
from photoward.core.jobs import Callback, validate_id
from photoward.core.queue import WakeUpSender
from photoward.core.safe_http import BlockedUrl, check_url


@dataclass(frozen=True, kw_only=True)
class Services(IngestServices):
    """Everything that endpoints work with; one for each process."""

    wake_ups: WakeUpSender
    master: bytes
    """The master secret: API keys are stored, and webhooks signed, under keys derived from it."""
    auth_failures: AuthFailureAudit
    verifier: Verifier
    verify_limit: RateLimit
    """For who sends no key."""
    verifications: CapacityLimiter
    """Threads that compare files, each of which holds two in memory."""
    store_writes: CapacityLimiter
    """Threads that write originals: a store may hold each whole in memory."""
    store_calls: CapacityLimiter
    """Threads that wait for anything else of the store."""
    previews: PreviewMaker
    preview_slot: CapacityLimiter
    """The one thread that waits for it."""
    health_checks: Mapping[str, CapacityLimiter]
    """By component: threads that wait for its health check."""

    @cached_property
    def pepper(self) -> bytes:
        """The key under which API keys are stored."""
        return key_derivation.pepper(self.master)

    @cached_property
    def keys_required(self) -> bool:
        """Whether requests need an API key; the settings compute it anew each time."""
        return self.settings.keys_required


async def get_services(request: Request) -> Services:
    """The services that ``create_app`` made."""
    services = request.app.state.services
    if not isinstance(services, Services):
        raise TypeError(services)
    return services


async def image_id(
    image_id: Annotated[str, Path(description="As given by the upload.", examples=[EXAMPLE_ID])],
) -> str:
    """An image's id in the path. Raises NotFound: nothing can have it, as all of these do."""
    return validate_id(image_id, 32)


async def upload_id(
    upload_id: Annotated[str, Path(description="As given with the upload.", examples=[EXAMPLE_ID])],
) -> str:
    """An upload's id in the path."""
    return validate_id(upload_id, 32)


async def batch_id(
    batch_id: Annotated[str, Path(description="As given by the batch.", examples=[EXAMPLE_ID])],
) -> str:
    """A batch's id in the path."""
    return validate_id(batch_id, 32)


async def key_id(
    key_id: Annotated[str, Path(description="As given with the key.", examples=[EXAMPLE_ID[:16]])],
) -> str:
    """An API key's id in the path."""
    return validate_id(key_id, 16)


async def webhook_id(
    webhook_id: Annotated[
        str, Path(description="As given with the webhook.", examples=[EXAMPLE_ID[:16]])
    ],
) -> str:
    """A webhook's id in the path."""
    return validate_id(webhook_id, 16)


async def idempotency_key(
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            description="Of your choice. A request that is sent again with it within 24 hours is "
            "not done again.",
        ),
    ] = None,
) -> str | None:
    """The SHA-256 of the request's idempotency key, in hexadecimal; None: it has none."""
    return None if key is None else hashlib.sha256(key.encode()).hexdigest()


def base_url(request: Request, services: Services) -> str:
    """The URL of the service for links, as the settings name it or as the client reached it."""
    return services.settings.http_public_url or str(request.base_url).rstrip("/")


def checked_callback(request: Request, services: Services, url: str) -> Callback:
    """A request's ``callback_url``. Raises BadInput: the service would not send to it."""
    try:
        check_url(url, private=services.settings.webhook_allow_private)
    except BlockedUrl as blocked:
        raise BadInput(
            "invalid_option", f"callback_url: {blocked}.", field="callback_url"
        ) from None
    return Callback(url, base_url(request, services))


ServicesDep = Annotated[Services, Depends(get_services)]
ImageIdDep = Annotated[str, Depends(image_id)]
UploadIdDep = Annotated[str, Depends(upload_id)]
BatchIdDep = Annotated[str, Depends(batch_id)]
KeyIdDep = Annotated[str, Depends(key_id)]
WebhookIdDep = Annotated[str, Depends(webhook_id)]
IdempotencyKeyDep = Annotated[str | None, Depends(idempotency_key)]
