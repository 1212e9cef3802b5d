"""Webhooks as Standard Webhooks has them: what is told, to whom, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime


class Event(StrEnum):
    """What may be told."""

    IMAGE_DONE = "image.done"
    IMAGE_FAILED = "image.failed"
    BATCH_ENDED = "batch.ended"


SCHEDULE = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""How long after each failed attempt the next is made (Standard Webhooks, "Deliverability")."""

REST = timedelta(seconds=10)
"""How long nothing must have come to a batch in which all has ended, until it is told that the
batch has: longer than a photo takes to be sent to who hands them in one by one."""

GRACE = timedelta(days=1)
"""How long both secrets sign after a rotation."""


class Delivered(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True)
class Webhook:
    """Where somebody wants to be told."""

    id: str
    tenant: str
    url: str
    events: frozenset[Event]
    version: int
    """Of the secret: each rotation counts."""
    old_until: datetime | None
    """Until when the secret before signs, too."""
    created_at: datetime
    disabled_at: datetime | None
    """Since when nobody is told, because the receiver said that it is gone."""


@dataclass(frozen=True)
class Delivery:
    """One message on its way to one webhook."""

    seq: int
    id: str
    """The message's, the same in all attempts."""
    webhook: str
    event: Event
    payload: dict[str, Any]
    state: Delivered
    attempts: int
    status: int | None
    """HTTP status of the last answer."""
    error: str | None
    """Why there was none."""
    created_at: datetime
    due_at: datetime
    """When it is tried next, while it is pending."""


def next_try(attempts: int) -> timedelta | None:
    """How long to wait after so many failed attempts; None: it was the last."""
    return SCHEDULE[attempts - 1] if attempts <= len(SCHEDULE) else None
