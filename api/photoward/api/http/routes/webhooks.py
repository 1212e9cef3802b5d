"""``/v1/webhooks``: where a tenant wants to be told, and what was told."""

from __future__ import annotations

import re
import secrets
from datetime import datetime
from typing import Annotated, Any

import structlog
from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from photoward.api.http.body.reader import READING, json_body, require_json
from photoward.api.http.deps import AdminDep, Parts, PartsDep, WebhookIdDep
from photoward.api.http.errors import documented
from photoward.api.http.pagination import PlaceDep, following
from photoward.api.http.routes.images import NO_STORE
from photoward.api.http.schemas.images import may_repeat
from photoward.core import webhooks
from photoward.core.errors import BadInput, NotFound
from photoward.core.key_derivation import webhook_secret
from photoward.core.safe_http import MAX_URL, Blocked, checked
from photoward.core.webhooks import Delivered, Event

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])

EXAMPLE_ID = "7d1b5e0c9a3f4268"
PAGE = 100
REFUSALS = ("unauthenticated", "forbidden", "invalid_option", "unavailable")

_MESSAGE = re.compile(r"msg_[0-9a-f]{24}")

log = structlog.get_logger("photoward.webhooks")


class Wanted(BaseModel):
    """A webhook that is to be made."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(max_length=MAX_URL, examples=["https://photos.example/hooks/photoward"])
    events: set[Event] = Field(default=set(Event), min_length=1, json_schema_extra=may_repeat)


class Webhook(BaseModel):
    """A webhook without its secret."""

    id: str = Field(examples=[EXAMPLE_ID])
    url: str
    events: list[Event]
    created_at: datetime
    disabled_at: datetime | None = Field(
        description="Since when nothing is told, because it answered 410; rotating enables it."
    )

    @classmethod
    def of(cls, hook: webhooks.Webhook) -> Webhook:
        """Show a webhook."""
        return cls(
            id=hook.id, url=hook.url, events=sorted(hook.events), created_at=hook.created_at,
            disabled_at=hook.disabled_at,
        )  # fmt: skip


class Fresh(Webhook):
    """A webhook with its secret."""

    secret: str = Field(
        description="Signs the messages (Standard Webhooks). Shown here and after a rotation only.",
        examples=["whsec_" + 43 * "A" + "="],
    )


class Webhooks(BaseModel):
    """All webhooks of a tenant, oldest first."""

    webhooks: list[Webhook]


class Delivery(BaseModel):
    """A message and how telling it went."""

    id: str = Field(description="`webhook-id` of the message.", examples=[f"msg_{24 * '0'}"])
    event: Event
    state: Delivered
    attempts: int
    status: int | None = Field(description="HTTP status of the last answer.")
    error: str | None = Field(description="Why there was no answer.")
    created_at: datetime
    due_at: datetime | None = Field(description="When it is tried next.")
    payload: dict[str, Any]

    @classmethod
    def of(cls, delivery: webhooks.Delivery) -> Delivery:
        """Show a message."""
        waits = delivery.state is Delivered.PENDING
        names = ("id", "event", "state", "attempts", "status", "error", "created_at", "payload")
        shown = {name: getattr(delivery, name) for name in names}
        return cls(**shown, due_at=delivery.due_at if waits else None)


class Deliveries(BaseModel):
    """A page of messages, oldest first."""

    deliveries: list[Delivery]
    next: str | None = Field(description="`cursor` of the next page; none after the last.")


@router.post(
    "", operation_id="createWebhook", summary="Make a webhook", status_code=201,
    responses=documented(*REFUSALS, *READING), openapi_extra=json_body(Wanted),
)  # fmt: skip
async def create_webhook(
    request: Request, parts: PartsDep, tenant: AdminDep, response: Response
) -> Fresh:  # fmt: skip
    """From now on the events are told, signed with the secret in this answer."""
    wanted = await require_json(request, Wanted)
    try:
        checked(wanted.url, private=parts.settings.webhook_allow_private)
    except Blocked as blocked:
        raise BadInput("invalid_option", f"url: {blocked}.", field="url") from None
    response.headers.update(NO_STORE)
    hook = await to_thread.run_sync(
        parts.ledger.add_webhook, secrets.token_hex(8), tenant, wanted.url, wanted.events
    )
    log.info("webhook_made", tenant=tenant, webhook=hook.id)
    return _fresh(parts, hook)


@router.get(
    "", operation_id="listWebhooks", summary="List webhooks", responses=documented(*REFUSALS)
)  # fmt: skip
async def list_webhooks(parts: PartsDep, tenant: AdminDep, response: Response) -> Webhooks:
    """Where events are told; no secrets."""
    response.headers.update(NO_STORE)
    found = await to_thread.run_sync(parts.ledger.webhooks, tenant)
    return Webhooks(webhooks=[Webhook.of(hook) for hook in found])


@router.post(
    "/{webhook_id}/rotate", operation_id="rotateWebhook", summary="Replace a webhook's secret",
    responses=documented(*REFUSALS, "not_found"),
)  # fmt: skip
async def rotate_webhook(
    parts: PartsDep, tenant: AdminDep, webhook_id: WebhookIdDep, response: Response
) -> Fresh:
    """For a day messages are signed with both; a disabled webhook is enabled again."""
    response.headers.update(NO_STORE)
    hook = await to_thread.run_sync(parts.ledger.rotate_webhook, tenant, webhook_id, webhooks.GRACE)
    return _fresh(parts, hook)


@router.delete(
    "/{webhook_id}", operation_id="deleteWebhook", summary="Delete a webhook", status_code=204,
    responses=documented(*REFUSALS, "not_found"),
)  # fmt: skip
async def delete_webhook(parts: PartsDep, tenant: AdminDep, webhook_id: WebhookIdDep) -> None:
    """With its messages, told or not."""
    await to_thread.run_sync(parts.ledger.remove_webhook, tenant, webhook_id)


@router.get(
    "/{webhook_id}/deliveries", operation_id="listDeliveries", summary="List messages",
    responses=documented(*REFUSALS, "not_found"),
)  # fmt: skip
async def list_deliveries(  # noqa: PLR0913  # what may be asked for
    *, parts: PartsDep, tenant: AdminDep, webhook_id: WebhookIdDep, place: PlaceDep,
    response: Response, limit: Annotated[int, Query(ge=1, le=500)] = PAGE,
) -> Deliveries:  # fmt: skip
    """What was told and what waits, for thirty days."""
    response.headers.update(NO_STORE)
    found = await to_thread.run_sync(
        lambda: parts.ledger.deliveries(tenant, webhook_id, after=place, limit=limit)
    )
    return Deliveries(
        deliveries=[Delivery.of(one) for one in found],
        next=following([one.seq for one in found], limit),
    )


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/replay", operation_id="replayDelivery",
    summary="Send a message again", status_code=202,
    responses=documented(*REFUSALS, "not_found"),
)  # fmt: skip
async def replay_delivery(
    parts: PartsDep, tenant: AdminDep, webhook_id: WebhookIdDep, delivery_id: str
) -> Delivery:
    """With the same `webhook-id`, so that a receiver can tell that it knows it."""
    if not _MESSAGE.fullmatch(delivery_id):
        raise NotFound
    again = await to_thread.run_sync(parts.ledger.replay, tenant, webhook_id, delivery_id)
    return Delivery.of(again)


def _fresh(parts: Parts, hook: webhooks.Webhook) -> Fresh:
    secret = webhook_secret(parts.master, hook.id, hook.version)
    return Fresh(**Webhook.of(hook).model_dump(), secret=secret)
