"""Webhooks as Standard Webhooks has them: what is told, to whom, and how often."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from datetime import datetime

MAX_URL = 2048
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_SPECIAL = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",
        "192.88.99.0/24",
        "64:ff9b:1::/48",
        "2001::/23",
        "3fff::/20",
        "5f00::/16",
    )
)
"""Of IANA's special-purpose registries; older Pythons know fewer, and clouds keep secrets there."""


class Blocked(Exception):  # noqa: N818  # it says what happened
    """The address is none that may be asked."""


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


def checked(url: str, *, private: bool) -> SplitResult:
    """The parts of a URL that may be told something, as far as that shows before it is resolved.

    Args:
        url: ``https://…``; with ``private`` also ``http://…``.
        private: whether hosts of the operator's own network may be told, too.

    Raises:
        Blocked: its message says why, in the middle of a sentence.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise Blocked("it is no URL") from None
    if parts.scheme != "https" and not (private and parts.scheme == "http"):
        raise Blocked("it is not https")
    if not host or parts.username is not None or parts.password is not None:
        raise Blocked("it has no plain host")
    if not url.isprintable() or " " in url:
        raise Blocked("it holds what no URL may hold")
    try:
        public = private or is_public(host)
    except ValueError:
        return parts  # a name
    if not public:
        raise Blocked("it leads to an address that is not public")
    return parts


def is_public(text: str) -> bool:
    """Whether an address is one of the open Internet's, seen through every way to hide another."""
    address = ipaddress.ip_address(text)
    if any(address in network for network in _SPECIAL):
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(str(address.ipv4_mapped))
        hidden = address.sixtofour or address.teredo or address in _NAT64
        if hidden or address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved
