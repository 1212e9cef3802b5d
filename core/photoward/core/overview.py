"""The whole installation as its operator sees it: queue, throughput, failures, tenants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from photoward.core.jobs import Priority, QuotaUsage, State

HOURS = 24
"""How far back an overview looks; the last of them is the current hour."""


@dataclass(frozen=True)
class QueueLength:
    """What waits, of one priority."""

    items: int = 0
    megapixels: float = 0.0
    oldest: datetime | None = None
    """When the item was submitted that has waited longest; None: nothing waits."""


@dataclass(frozen=True)
class HourOfItems:
    """The items that were submitted within an hour, deleted ones included."""

    start: datetime
    megapixels: float
    counts: Mapping[State, int]
    """Where they stand now (absent: none)."""


@dataclass(frozen=True)
class FailureCount:
    """Items that failed for the same reason."""

    code: str
    count: int
    last: datetime
    """When one of them changed last."""


@dataclass(frozen=True)
class Overview:
    """All tenants together."""

    queue: Mapping[Priority, QueueLength]
    processing: int
    workers: int
    finished_per_minute: float
    """Items that have ended, of late."""
    hours: Sequence[HourOfItems]
    """Oldest first."""
    failures: Sequence[FailureCount]
    """Of items that were submitted within these hours; most frequent first."""


@dataclass(frozen=True)
class TenantOverview:
    """One tenant."""

    id: str
    weight: float
    usage: QuotaUsage
    active_keys: int
    queued: QueueLength
    counts: Mapping[State, int]
    """Items of the last 24 hours, deleted ones included (absent: none)."""
