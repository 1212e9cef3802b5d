"""Works when nobody says that there is work: the broker is away, or wake_ups never arrive.

Asks the ledger alone, and so seldom that it costs nothing; where wake_ups come, it never works.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import structlog

from photoward.core.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from photoward.core.ledger import Ledger

EVERY_S = 5.0
BUDGET_S = 10.0
"""How long it works before it looks whether it shall end."""

log = structlog.get_logger(__name__)


class QueuePoller:
    """Runs beside the worker; many may run at once.

    Args:
        ledger: says what is queued.
        work: works that off, for so many seconds at most.
        stall_s: how long the same photo stands first before it is worked on unasked.
        every_s: seconds between two looks.
    """

    def __init__(
        self,
        ledger: Ledger,
        work: Callable[[float], object],
        *,
        stall_s: float,
        every_s: float = EVERY_S,
    ) -> None:
        self._ledger = ledger
        self._work = work
        self._stall_s = stall_s
        self._every_s = every_s
        self._first: str | None = None
        self._since = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="queue-poller", daemon=True)

    def start(self) -> None:
        """Begin to look every ``every_s`` seconds."""
        self._thread.start()

    def stop(self) -> None:
        """End; returns when what it works on is done."""
        self._ended.set()
        self._thread.join()

    def _poll(self) -> None:
        """One look, and work until nothing is queued if it is needed."""
        first = self._ledger.items.next_queued_id()
        if first != self._first:
            self._first, self._since = first, time.monotonic()
        if first is None or time.monotonic() - self._since < self._stall_s:
            return
        log.warning("queue_poll_found_work", waited_s=self._stall_s)
        while not self._ended.is_set() and self._ledger.items.next_queued_id() is not None:
            self._work(BUDGET_S)

    def _run(self) -> None:
        while not self._ended.wait(self._every_s):
            try:
                self._poll()
            except Unavailable as error:
                log.warning("queue_poll_unavailable", detail=error.detail)
