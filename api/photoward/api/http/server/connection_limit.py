"""How many connections there may be, and which is closed when there are more.

A connection with a request in progress stays. Of the idle ones, those with half a header or with a
body that nobody reads any more included, the one that has been idle longest is closed: so a client
that sends its request at once is served, however many others hold connections.
"""

from __future__ import annotations

import resource
import time
from collections import Counter
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Protocol

import structlog

MAX_CONNECTIONS = 2000
"""Of a process; fewer where it may open few files. Each takes 20 KB."""

MAX_SHARE = 0.5
"""Of them that one address may have, unless it is a proxy's."""

LOG_INTERVAL_S = 10.0

log = structlog.get_logger("photoward.http")


class Connection(Protocol):
    """A connection as it is seen here."""

    client: tuple[str, int] | None

    def abort(self) -> None:
        """End at once."""


def max_connections() -> int:
    """Connections that this process may have: half of its files, as answers need some, too."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_CONNECTIONS if files == resource.RLIM_INFINITY else min(MAX_CONNECTIONS, files // 2)


class ConnectionLimit:
    """The connections of one server; only ever used by its event loop.

    Args:
        proxies: addresses and networks of proxies, with commas, as in
            ``FORWARDED_ALLOW_IPS``; this machine's own are as well.
    """

    def __init__(self, proxies: str) -> None:
        self._max = max_connections()
        self._proxies = [_network(one.strip()) for one in proxies.split(",")]
        self._proxies_anywhere = "*" in proxies
        self._addresses: dict[Connection, str | None] = {}
        self._counts: Counter[str | None] = Counter()
        self._idle: dict[Connection, None] = {}
        self._logged_at = float("-inf")
        self._closed = self._refused = 0

    def add(self, new: Connection) -> bool:
        """Count one more; False: there are too many, and all are being answered."""
        address = self._address(new)
        crowded = address is not None and self._counts[address] >= self._max * MAX_SHARE
        if crowded or len(self._addresses) >= self._max:
            room = self._make_room(address if crowded else None)
            self._log()
            if not room:
                return False
        self._addresses[new] = address
        self._counts[address] += 1
        self._idle[new] = None
        return True

    def mark_active(self, one: Connection) -> None:
        """All headers of a request have come."""
        self._idle.pop(one, None)

    def mark_idle(self, one: Connection) -> None:
        """Its request has been answered."""
        if one in self._addresses:
            self._idle.pop(one, None)
            self._idle[one] = None

    def remove(self, gone: Connection) -> None:
        """Count one less, unless it has left already."""
        if gone in self._addresses:
            self._counts[self._addresses.pop(gone)] -= 1
            self._idle.pop(gone, None)

    def _make_room(self, address: str | None) -> bool:
        """Close the connection that has been idle longest, of ``address`` if that is given."""
        for one in self._idle:
            if address is None or self._addresses[one] == address:
                self.remove(one)
                one.abort()
                self._closed += 1
                return True
        self._refused += 1
        return False

    def _address(self, one: Connection) -> str | None:
        """Where it comes from; None: it may come from many places."""
        if one.client is None or self._proxies_anywhere:
            return None
        address = ip_address(one.client[0].partition("%")[0])
        through = any(proxy is not None and address in proxy for proxy in self._proxies)
        return None if address.is_loopback or through else str(address)

    def _log(self) -> None:
        if time.monotonic() - self._logged_at < LOG_INTERVAL_S:
            return
        self._logged_at = time.monotonic()
        log.warning(
            "connection_limit",
            open=len(self._addresses),
            limit=self._max,
            closed=self._closed,
            refused=self._refused,
        )
        self._closed = self._refused = 0


def _network(text: str) -> IPv4Network | IPv6Network | None:
    """None: it is a socket's path, or no network."""
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None
