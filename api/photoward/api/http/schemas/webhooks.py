"""Webhooks and the messages to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from photoward.api.http.schemas.inline import allow_repeats
from photoward.core import webhooks
from photoward.core.safe_http import MAX_URL
from photoward.core.webhooks import Delivered, Event

EXAMPLE_ID = "7d1b5e0c9a3f4268"


class CreateWebhook(BaseModel):
    """A webhook that is to be made."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(max_length=MAX_URL, examples=["https://photos.example/hooks/photoward"])
    events: set[Event] = Field(default=set(Event), min_length=1, json_schema_extra=allow_repeats)


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


class CreatedWebhook(Webhook):
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
