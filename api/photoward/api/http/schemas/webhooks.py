"""Webhooks and the messages to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from photoward.api.http.pagination import Page
from photoward.api.http.schemas.inline import allow_repeats
from photoward.core import webhooks
from photoward.core.safe_http import MAX_URL
from photoward.core.webhooks import DeliveryState, Event, with_links

EXAMPLE_ID = "7d1b5e0c9a3f4268"


Subscribable = Literal[
    Event.IMAGE_SUCCEEDED, Event.IMAGE_FAILED, Event.IMAGE_CANCELED, Event.BATCH_COMPLETED
]


class CreateWebhook(BaseModel):
    """The request for a webhook."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(max_length=MAX_URL, examples=["https://photos.example/hooks/photoward"])
    events: set[Subscribable] = Field(
        default=set(get_args(Subscribable)), min_length=1, json_schema_extra=allow_repeats
    )


class Webhook(BaseModel):
    """A webhook, without its secret."""

    id: str = Field(examples=[EXAMPLE_ID])
    url: str | None = Field(description="Null: of callbacks, each of which has a URL of its own.")
    events: list[Event]
    created_at: datetime
    disabled_at: datetime | None = Field(
        description="Since when nothing is sent, as the receiver answered 410; rotating enables it."
    )

    @classmethod
    def of(cls, hook: webhooks.Webhook) -> Webhook:
        """A ledger's webhook as the API shows it."""
        return cls(
            id=hook.id,
            url=hook.url or None,
            events=sorted(hook.events),
            created_at=hook.created_at,
            disabled_at=hook.disabled_at,
        )


class CreatedWebhook(Webhook):
    """A webhook, with its secret."""

    secret: str = Field(
        description="Signs messages (Standard Webhooks). Shown after creation and rotation only.",
        examples=["whsec_" + 43 * "A" + "="],
    )


class Webhooks(BaseModel):
    """All webhooks of a tenant, oldest first."""

    webhooks: list[Webhook]


class Delivery(BaseModel):
    """A message and its delivery."""

    id: str = Field(description="`webhook-id` of the message.", examples=[f"msg_{24 * '0'}"])
    event: Event
    state: DeliveryState
    attempts: int
    status: int | None = Field(description="HTTP status of the last response.")
    error: str | None = Field(description="Why there was no response.")
    created_at: datetime
    due_at: datetime | None = Field(description="When the next attempt is made.")
    url: str | None = Field(description="Where a callback goes; null: to the webhook's URL.")
    payload: dict[str, Any]

    @classmethod
    def of(cls, delivery: webhooks.Delivery, public_url: str | None) -> Delivery:
        """A ledger's delivery as the API shows it; ``public_url``: as the settings name it."""
        waits = delivery.state is DeliveryState.PENDING
        names = ("id", "event", "state", "attempts", "status", "error", "created_at", "url")
        shown = {name: getattr(delivery, name) for name in names}
        payload = with_links(delivery.payload, public_url or delivery.base_url or "")
        return cls(**shown, payload=payload, due_at=delivery.next_attempt_at if waits else None)


class DeliveryPage(Page[Delivery]):
    """Deliveries."""
