"""How many connections there may be, and which of them goes when there are more.

One that is being answered stays. Of those on which nothing is under way, half a header or a body
that nobody reads any more included, the one that has waited longest makes room: so whoever asks
swiftly is served, however many others hold on to theirs.
"""

from __future__ import annotations

import resource
import time
from collections import Counter
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Protocol

import structlog

MOST = 2000
"""Connections of a process; fewer where it may open few files. Each takes 20 KB."""

SHARE = 0.5
"""Of them that one address may have, unless many speak through it."""

TELL_EVERY_S = 10.0

log = structlog.get_logger("photoward.http")


class Connection(Protocol):
    """What is known of one here."""

    client: tuple[str, int] | None

    def give_way(self) -> None:
        """End at once."""


def most() -> int:
    """Connections that this process may have: half of its files, as answers need some, too."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if files == resource.RLIM_INFINITY else min(MOST, files // 2)


class Crowd:
    """The connections of one server; only ever used by its event loop.

    Args:
        proxies: addresses and networks that many speak through, with commas, as in
            ``FORWARDED_ALLOW_IPS``; this machine's own are as well.
    """

    def __init__(self, proxies: str) -> None:
        self._most = most()
        self._proxies = [_network(one.strip()) for one in proxies.split(",")]
        self._everybody = "*" in proxies
        self._addresses: dict[Connection, str | None] = {}
        self._of: Counter[str | None] = Counter()
        self._waiting: dict[Connection, None] = {}
        self._told_at = float("-inf")
        self._ended = self._refused = 0

    def enter(self, fresh: Connection) -> bool:
        """Count one more; False: there are too many, and all are being answered."""
        address = self._address(fresh)
        crowded = address is not None and self._of[address] >= self._most * SHARE
        if crowded or len(self._addresses) >= self._most:
            room = self._make_room(address if crowded else None)
            self._tell()
            if not room:
                return False
        self._addresses[fresh] = address
        self._of[address] += 1
        self._waiting[fresh] = None
        return True

    def serve(self, one: Connection) -> None:
        """A whole header has come on it."""
        self._waiting.pop(one, None)

    def wait(self, one: Connection) -> None:
        """Its request has been answered."""
        if one in self._addresses:
            self._waiting.pop(one, None)
            self._waiting[one] = None

    def leave(self, gone: Connection) -> None:
        """Count one less, unless it has left already."""
        if gone in self._addresses:
            self._of[self._addresses.pop(gone)] -= 1
            self._waiting.pop(gone, None)

    def _make_room(self, address: str | None) -> bool:
        """End the connection that has waited longest; ``address``: of that one alone."""
        for one in self._waiting:
            if address is None or self._addresses[one] == address:
                self.leave(one)
                one.give_way()
                self._ended += 1
                return True
        self._refused += 1
        return False

    def _address(self, one: Connection) -> str | None:
        """Where it comes from; None: it may come from many places."""
        if one.client is None or self._everybody:
            return None
        address = ip_address(one.client[0].partition("%")[0])
        through = any(proxy is not None and address in proxy for proxy in self._proxies)
        return None if address.is_loopback or through else str(address)

    def _tell(self) -> None:
        if time.monotonic() - self._told_at < TELL_EVERY_S:
            return
        self._told_at = time.monotonic()
        log.warning(
            "crowded", open=len(self._addresses), most=self._most, ended=self._ended,
            refused=self._refused,
        )  # fmt: skip
        self._ended = self._refused = 0


def _network(text: str) -> IPv4Network | IPv6Network | None:
    """None: it is a socket's path, or no network."""
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None
