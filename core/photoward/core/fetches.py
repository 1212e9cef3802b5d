"""Arrivals: photos that the service fetches itself from where a manifest says.

An item whose photo is still to come is ``received``; its arrival says where from.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from photoward.core.jobs import Options

UPLOAD = "upload"
"""The kind of source that is used up when it has become an item."""

RETRIES = (timedelta(seconds=5), timedelta(seconds=30))
"""How long after each failed try the next is made."""

MAX_TRIES = len(RETRIES) + 1


@dataclass(frozen=True)
class Expected:
    """A photo that is to be fetched."""

    item_id: str
    kind: str
    """Of the source."""
    place: str
    """Where it lies there."""
    options: Options
    filename: str | None


@dataclass(frozen=True)
class Arrival:
    """The same on its way: one try at it."""

    item_id: str
    tenant: str
    kind: str
    place: str
    options: Options
    filename: str | None
    tries: int
    """This one included; it names the try: who was overtaken by another changes nothing."""


def next_try(tries: int) -> timedelta | None:
    """How long to wait after so many failed tries; None: it was the last."""
    return RETRIES[tries - 1] if tries <= len(RETRIES) else None
