"""How long a batch may take; what hangs cannot be stopped, so its process ends.

Celery's own limit would not do: its exception comes to a process's main thread, and batches are
worked off in others.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from photoward.core.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from photoward.core.ledger import Ledger

LOOKS = 120
"""In the longest time of a batch."""

log = structlog.get_logger(__name__)


class Watchdog:
    """Ages the claims that are under way; ends the process when one has hung.

    Time counts as far as this process ran: a machine that was stopped for an hour has hung nothing.

    Args:
        ledger: gets back what is under way.
        limit_s: longest time of a batch.
    """

    def __init__(self, ledger: Ledger, limit_s: float) -> None:
        self._ledger = ledger
        self._limit_s = limit_s
        self._every_s = limit_s / LOOKS
        self._ages: dict[str, float] = {}
        self._changing = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._ended.set()
        self._thread.join()

    @contextmanager
    def watch(self, token: str) -> Iterator[None]:
        """What is claimed under the token has to end in time."""
        with self._changing:
            self._ages[token] = 0.0
        try:
            yield
        finally:
            with self._changing:
                self._ages.pop(token, None)

    def give_back(self, hung: Collection[str] = ()) -> None:
        """Let go of all that is under way.

        Of what hung the attempt stays counted, so that it fails after the third; the rest is
        queued as if nobody had claimed it.
        """
        with self._changing:
            tokens = set(self._ages)
        try:
            for token in tokens.difference(hung):
                self._ledger.items.release(token)
            for token in hung:
                self._ledger.items.renew_lease(token, timedelta(0))
            if hung:
                self._ledger.items.expire_leases()
        except Unavailable as error:  # then leases run out by themselves
            log.warning("work_unavailable", detail=error.detail)

    def _run(self) -> None:
        while not self._ended.wait(self._every_s):
            if hung := self._aged():
                log.error("batch_hung", batches=len(hung), limit_s=self._limit_s)
                self.give_back(hung)
                os._exit(os.EX_SOFTWARE)

    def _aged(self) -> set[str]:
        """One look later: what has had its time."""
        with self._changing:
            for token in self._ages:
                self._ages[token] += self._every_s
            return {token for token, age in self._ages.items() if age >= self._limit_s}
