"""Refused keys on their way into the audit log: who knocks without end fills no ledger.

The log lines and metrics of requests tell of every refusal; here one a minute is kept of each
caller, and so many a minute of all.
"""

from __future__ import annotations

import time
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING

from photoward.core.audit import acting
from photoward.core.errors import Unavailable

if TYPE_CHECKING:
    from photoward.core.ports import Ledger

WINDOW_S = 60.0
MOST = 20
"""Entries that this process writes in a window, from however many addresses they come."""


class Refusals:
    """Keeps some of the refusals that it is told of."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = Lock()
        self._seen: set[tuple[str | None, ...]] = set()
        self._until = 0.0

    def note(self, code: str, key_id: str | None) -> None:
        """Keep it, unless as much is known; without the ledger only the answer tells."""
        if self._is_news(code, key_id, acting().address):
            with suppress(Unavailable):
                self._ledger.note_refusal(code, key_id)

    def _is_news(self, *what: str | None) -> bool:
        with self._lock:
            if time.monotonic() >= self._until:
                self._until = time.monotonic() + WINDOW_S
                self._seen.clear()
            if what in self._seen or len(self._seen) >= MOST:
                return False
            self._seen.add(what)
            return True
