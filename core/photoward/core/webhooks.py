"""Webhooks as Standard Webhooks defines them: events, subscriptions, deliveries and retries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime


class Event(StrEnum):
    """What a message reports."""

    IMAGE_SUCCEEDED = "image.succeeded"
    IMAGE_FAILED = "image.failed"
    IMAGE_CANCELED = "image.canceled"
    BATCH_COMPLETED = "batch.completed"
    TEST = "webhook.test"
    """Sent on request only."""


CALLBACK_URL = ""
"""The URL of the webhook that stands for a tenant's callbacks, each of which has its own."""

RETRY_DELAYS = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""Wait after each failed attempt before the next (Standard Webhooks, "Deliverability")."""

BATCH_QUIET_PERIOD = timedelta(seconds=10)
"""How long a batch whose items have all ended must stay unchanged before ``batch.completed``:
longer than a client needs to add the next photo to it."""

ROTATION_GRACE = timedelta(days=1)
"""How long messages are signed with both secrets after a rotation."""


class DeliveryState(StrEnum):
    """State of a delivery."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True)
class Webhook:
    """A tenant's subscription to events."""

    id: str
    tenant: str
    url: str
    """``CALLBACK_URL``: it signs the callbacks of single requests."""
    events: frozenset[Event]
    secret_version: int
    """From 1; each rotation adds one."""
    previous_secret_until: datetime | None
    """Until then the previous secret signs as well."""
    created_at: datetime
    disabled_at: datetime | None
    """Since then nothing is sent, because the receiver answered that it is gone."""
    base_url: str | None = None
    """URL of the service as who made it reached it: links in its messages begin with it."""


@dataclass(frozen=True)
class Delivery:
    """One message to one webhook."""

    seq: int
    id: str
    """The message's id, the same in all attempts."""
    webhook_id: str
    event: Event
    payload: dict[str, Any]
    state: DeliveryState
    attempts: int
    status: int | None
    """HTTP status of the last answer."""
    error: str | None
    """Why there was no answer."""
    created_at: datetime
    next_attempt_at: datetime
    """While it is pending."""
    url: str | None = None
    """Where it goes; None: to the webhook's URL."""
    base_url: str | None = None
    """URL of the service, with which its links begin; None: unknown, of older messages."""


def with_links(payload: dict[str, Any], base_url: str) -> dict[str, Any]:
    """A payload, in which links are paths, with absolute links."""
    data = payload.get("data", {})
    links = {name: path and f"{base_url}{path}" for name, path in data.get("links", {}).items()}
    return {**payload, "data": {**data, "links": links}} if links else payload


def retry_delay(attempts: int) -> timedelta | None:
    """Wait after that many failed attempts; None: there is no further one."""
    return RETRY_DELAYS[attempts - 1] if attempts <= len(RETRY_DELAYS) else None
