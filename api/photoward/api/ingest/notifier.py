"""Hints that leave after the answer: nobody waits for the broker, and nothing breaks without it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from photoward.core.failpoints import failpoint

if TYPE_CHECKING:
    from photoward.core.ports import Hints

APART_S = 0.05
"""Between two hints. A hint says that there is work, not which: a flood of uploads needs no
flood of messages, each of which would cost a worker a look at the ledger."""


class Announcer:
    """Gives hints in a thread of its own: the first at once, those of a flood as one."""

    def __init__(self, hints: Hints) -> None:
        self._hints = hints
        self._latest: str | None = None
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hint", daemon=True)
        self._thread.start()

    def announce(self, item_id: str) -> None:
        """Return at once; a hint goes out as soon as it can, or never."""
        with self._changed:
            self._latest = item_id
            self._changed.notify()

    def close(self) -> None:
        """End; what has not gone out is the reconciler's."""
        self._closed.set()
        with self._changed:
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._latest or self._closed.is_set())
                item_id, self._latest = self._latest, None
            if item_id is not None:
                self._hints.hint(item_id)
                failpoint("hinted")
                self._closed.wait(APART_S)
