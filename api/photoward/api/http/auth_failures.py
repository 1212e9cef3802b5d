"""Refused API keys in the audit log, at a limited rate, so that repeated attempts do not fill it.

Requests' log lines and metrics record every refusal. The audit log gets one of each kind a minute
from each caller, and at most ``MAX_ENTRIES`` a minute from any one.
"""

from __future__ import annotations

import time
from contextlib import suppress
from ipaddress import ip_network
from threading import Lock
from typing import TYPE_CHECKING

from photoward.core.audit import UNAUTHENTICATED, Actor, current_actor
from photoward.core.errors import Unavailable

if TYPE_CHECKING:
    from photoward.core.ledger import Ledger

WINDOW_S = 60.0
MAX_ENTRIES = 20
"""Of one caller in a window, by one process."""

MAX_NETWORKS = 100
"""Callers without a valid key in a window; those with one always count."""

PREFIX = {4: 32, 6: 64}
"""IP version → bits of the network that counts as one caller."""


class AuthFailureAudit:
    """Records refused API keys in the audit log."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = Lock()
        self._seen: dict[str, set[tuple[str, str | None]]] = {}
        self._until = 0.0

    def record(self, code: str, key_id: str | None) -> None:
        """Write an entry, unless it repeats another; nothing is raised if the ledger is away."""
        if self._is_new(current_actor(), (code, key_id)):
            with suppress(Unavailable):
                self._ledger.audit.record_denial(code, key_id)

    def _is_new(self, actor: Actor, failure: tuple[str, str | None]) -> bool:
        is_unauthenticated = actor.name == UNAUTHENTICATED
        caller = network(actor.address) if is_unauthenticated else actor.name
        with self._lock:
            if time.monotonic() >= self._until:
                self._until = time.monotonic() + WINDOW_S
                self._seen.clear()
            if is_unauthenticated and caller not in self._seen and len(self._seen) >= MAX_NETWORKS:
                return False
            seen = self._seen.setdefault(caller, set())
            if failure in seen or len(seen) >= MAX_ENTRIES:
                return False
            seen.add(failure)
            return True


def network(address: str | None) -> str:
    """What counts as one caller: an address of IPv4, a network of IPv6."""
    if address is None:
        return "nowhere"
    version = 6 if ":" in address else 4
    return str(ip_network(f"{address.partition('%')[0]}/{PREFIX[version]}", strict=False))
