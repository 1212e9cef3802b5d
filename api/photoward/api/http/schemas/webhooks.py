"""Webhooks and the messages to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from photoward.api.http.pagination import Page
from photoward.api.http.schemas.inline import allow_repeats
from photoward.core import webhooks
from photoward.core.safe_http import MAX_URL
from photoward.core.webhooks import DeliveryState, Event

EXAMPLE_ID = "7d1b5e0c9a3f4268"


class CreateWebhook(BaseModel):
    """The request for a webhook."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(max_length=MAX_URL, examples=["https://photos.example/hooks/photoward"])
    events: set[Event] = Field(default=set(Event), min_length=1, json_schema_extra=allow_repeats)


class Webhook(BaseModel):
    """A webhook, without its secret."""

    id: str = Field(examples=[EXAMPLE_ID])
    url: str
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
            url=hook.url,
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
    payload: dict[str, Any]

    @classmethod
    def of(cls, delivery: webhooks.Delivery) -> Delivery:
        """A ledger's delivery as the API shows it."""
        waits = delivery.state is DeliveryState.PENDING
        names = ("id", "event", "state", "attempts", "status", "error", "created_at", "payload")
        shown = {name: getattr(delivery, name) for name in names}
        return cls(**shown, due_at=delivery.next_attempt_at if waits else None)


class DeliveryPage(Page[Delivery]):
    """Deliveries, oldest first."""
