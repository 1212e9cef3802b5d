"""Fetches: photos that the service downloads itself from where a manifest says.

An item whose photo is still to be fetched is ``received``; its fetch says where the photo is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from photoward.core.jobs import Details

if TYPE_CHECKING:
    from photoward.core.jobs import Options

UPLOAD_SOURCE = "upload"
"""The source kind that can be used once: an upload becomes one item."""

RETRY_DELAYS = (timedelta(seconds=5), timedelta(seconds=30))
"""Wait after each failed attempt before the next one."""

MAX_FETCH_ATTEMPTS = len(RETRY_DELAYS) + 1


@dataclass(frozen=True)
class FetchRequest:
    """A photo to fetch."""

    item_id: str
    source_kind: str
    """``url``, ``upload`` or ``bucket``."""
    location: str
    """Where the photo is within that source: a URL, an upload's id, a bucket's key."""
    options: Options
    filename: str | None
    details: Details = field(default_factory=Details)


@dataclass(frozen=True)
class FetchJob:
    """One leased attempt at a fetch."""

    item_id: str
    tenant: str
    source_kind: str
    location: str
    options: Options
    filename: str | None
    attempts: int
    """Number of this attempt, from 1. It identifies the attempt: the ledger ignores reports of an
    attempt that a later one has replaced."""


def retry_delay(attempts: int) -> timedelta | None:
    """Wait after that many failed attempts; None: there is no further one."""
    return RETRY_DELAYS[attempts - 1] if attempts <= len(RETRY_DELAYS) else None
