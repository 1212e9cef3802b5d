"""Refused keys on their way into the audit log: who knocks without end fills no ledger.

The log lines and metrics of requests tell of every refusal; here one of each kind a minute is kept
of each caller, and so many a minute of any one: nobody's noise covers what others do.
"""

from __future__ import annotations

import time
from contextlib import suppress
from ipaddress import ip_network
from threading import Lock
from typing import TYPE_CHECKING

from photoward.core.audit import STRANGER, Actor, acting
from photoward.core.errors import Unavailable

if TYPE_CHECKING:
    from photoward.core.ports import Ledger

WINDOW_S = 60.0
MOST = 20
"""Entries that this process writes of one caller in a window …"""

MOST_PLACES = 100
"""… and of how many places, if they have no good key; who has one is always heard."""

PREFIX = {4: 32, 6: 64}
"""IP version → bits of an address that one caller has for itself."""


class Refusals:
    """Keeps some of the refusals that it is told of."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = Lock()
        self._seen: dict[str, set[tuple[str, str | None]]] = {}
        self._until = 0.0

    def note(self, code: str, key_id: str | None) -> None:
        """Keep it, unless as much is known; without the ledger only the answer tells."""
        if self._is_news(acting(), (code, key_id)):
            with suppress(Unavailable):
                self._ledger.note_refusal(code, key_id)

    def _is_news(self, actor: Actor, what: tuple[str, str | None]) -> bool:
        is_stranger = actor.name == STRANGER
        who = _place(actor.address) if is_stranger else actor.name
        with self._lock:
            if time.monotonic() >= self._until:
                self._until = time.monotonic() + WINDOW_S
                self._seen.clear()
            if is_stranger and who not in self._seen and len(self._seen) >= MOST_PLACES:
                return False
            seen = self._seen.setdefault(who, set())
            if what in seen or len(seen) >= MOST:
                return False
            seen.add(what)
            return True


def _place(address: str | None) -> str:
    if address is None:
        return "nowhere"
    version = 6 if ":" in address else 4
    return str(ip_network(f"{address.partition('%')[0]}/{PREFIX[version]}", strict=False))
