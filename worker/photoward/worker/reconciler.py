"""Makes good what crashes leave behind: expired leases, lost hints, objects without a row."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import structlog

from photoward.core.errors import NotFound, Unavailable
from photoward.core.jobs import FINAL

if TYPE_CHECKING:
    from photoward.core.ports import Hints, Ledger, ObjectStore

ORPHAN_AGE_S = 3600.0
"""An object this old that nobody needs was left by a crash between store and ledger."""

SWEEP_EVERY_S = 900.0

log = structlog.get_logger(__name__)


class Reconciler:
    """Runs beside the worker; many may run at once, each step is idempotent."""

    def __init__(self, *, ledger: Ledger, store: ObjectStore, hints: Hints, every_s: float) -> None:
        self._ledger = ledger
        self._store = store
        self._hints = hints
        self._every_s = every_s
        self._ended = threading.Event()
        self._swept = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="reconciler", daemon=True)

    def start(self) -> None:
        """Begin to look every ``every_s`` seconds."""
        self._thread.start()

    def stop(self) -> None:
        """End; returns when the last look is over."""
        self._ended.set()
        self._thread.join()

    def reconcile(self) -> None:
        """One look: free expired leases, then say again that there is work if there is."""
        freed = self._ledger.expire()
        waiting = self._ledger.oldest_queued()
        if waiting is not None:
            self._hints.hint(waiting)
        if freed:
            log.warning("leases_expired", items=freed)

    def sweep(self, older_than_s: float = ORPHAN_AGE_S) -> int:
        """Remove objects that no visible item owns, and originals of what has ended.

        Returns:
            How many were removed.
        """
        removed = 0
        for prefix in ("originals/", "outputs/"):
            old = [key for key, age_s in self._store.keys(prefix) if age_s >= older_than_s]
            known = self._ledger.known([_item_of(key) for key in old])
            for key in old:
                if _item_of(key) not in known or (prefix == "originals/" and self._has_ended(key)):
                    self._store.delete(key)
                    removed += 1
        return removed

    def _has_ended(self, key: str) -> bool:
        _, tenant, item_id = key.split("/")
        try:
            return self._ledger.get(tenant, item_id).state in FINAL
        except NotFound:
            return True

    def _run(self) -> None:
        while not self._ended.wait(self._every_s):
            try:
                self.reconcile()
                if time.monotonic() - self._swept > SWEEP_EVERY_S:
                    self._swept = time.monotonic()
                    log.info("swept", objects=self.sweep())
            except Unavailable as error:
                log.warning("reconcile_unavailable", detail=error.detail)


def _item_of(key: str) -> str:
    return key.rpartition("/")[2]
