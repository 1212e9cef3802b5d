"""Makes good what crashes leave behind: expired leases, lost wake-ups, objects without a row."""

from __future__ import annotations

import secrets
import threading
from contextlib import suppress
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

import structlog

from photoward.core.errors import Unavailable
from photoward.core.jobs import FINAL_STATES, RETRY_WINDOW, State
from photoward.core.object_keys import item_of, object_keys, part_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from photoward.core.ledger import Ledger
    from photoward.core.queue import WakeUpSender
    from photoward.core.storage import ObjectStore

DELIVERIES_KEPT = timedelta(days=30)
RETRY_S = RETRY_WINDOW.total_seconds()
PAGE = 1000
"""Objects that are asked of at a time."""
WITHOUT_OUTPUT = FINAL_STATES - {State.DONE}

log = structlog.get_logger(__name__)


class Reconciler:
    """Runs beside the worker; many may run at once, each step is idempotent.

    Of all workers one sweeps in a period: to have its objects listed costs a store and the ledger.

    Args:
        ledger: says what is needed.
        store: is swept of what is not.
        wake_ups: are told again that there is work.
        every_s: seconds between two looks.
        sweep_every_s: seconds between two sweeps, whoever makes them.
        audit_days: how long the audit log is kept.
        orphan_age_s: age at which an object without a row is no upload on its way any more.
    """

    def __init__(  # noqa: PLR0913  # one keyword for each thing that decides what it does
        self,
        *,
        ledger: Ledger,
        store: ObjectStore,
        wake_ups: WakeUpSender,
        every_s: float,
        sweep_every_s: float,
        orphan_age_s: float,
        audit_days: int,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._wake_ups = wake_ups
        self._every_s = every_s
        self._sweep_every = timedelta(seconds=sweep_every_s)
        self._orphan_age_s = orphan_age_s
        self._audit_kept = timedelta(days=audit_days)
        self._ended = threading.Event()
        self._id = secrets.token_hex(8)
        self._thread = threading.Thread(target=self._run, name="reconciler", daemon=True)

    def start(self) -> None:
        """Begin to look every ``every_s`` seconds."""
        self._thread.start()

    def stop(self) -> None:
        """End; returns when the last look is over."""
        self._ended.set()
        self._thread.join()
        with suppress(Unavailable):  # then its silence tells
            self._ledger.workers.remove(self._id)

    def reconcile(self) -> None:
        """One look: be heard of, free expired leases, say again if there is work, delete, scrub."""
        self._ledger.workers.record_heartbeat(self._id)
        freed = self._ledger.items.expire_leases()
        waiting = self._ledger.items.next_queued_id()
        if waiting is not None:
            self._wake_ups.send(waiting)
        if freed:
            log.warning("leases_expired", items=freed)
        self._delete_expired()
        self._ledger.scrub()

    def _delete_expired(self) -> None:
        """Delete what has expired, row first: of objects that stay in a crash, ``sweep`` knows."""
        while not self._ended.is_set():
            expired = self._ledger.items.delete_expired(PAGE)
            for item in expired:
                for key in object_keys(item):
                    self._store.delete(key)
            if expired:
                log.info("expired", items=len(expired))
            if len(expired) < PAGE:
                return

    def sweep(self) -> int:
        """Remove originals of what has ended, and what is old and belongs to no visible item.

        The original of what failed is kept for a day: it may be tried again.

        Returns:
            How many were removed.
        """
        removed = self._store.discard_unfinished(self._orphan_age_s)
        for prefix in ("originals/", "outputs/"):
            for page in _pages(self._store.keys(prefix)):
                states = self._ledger.items.states([item_of(key) for key, _ in page])
                for key, age_s in page:
                    if self._is_spent(prefix, states.get(item_of(key)), age_s):
                        self._store.delete(key)
                        removed += 1
        return removed + self._sweep_uploads()

    def _is_spent(self, prefix: str, state: State | None, age_s: float) -> bool:
        if state is None or (prefix == "outputs/" and state in WITHOUT_OUTPUT):
            return age_s >= self._orphan_age_s
        ended = state in FINAL_STATES and (state is not State.FAILED or age_s >= RETRY_S)
        return prefix == "originals/" and ended

    def _sweep_uploads(self) -> int:
        """Forget uploads and tokens that have expired; remove parts that nothing needs.

        An upload is in the ledger before its first part is in the store.
        """
        self._ledger.uploads.prune()
        self._ledger.upload_tokens.prune()
        removed = 0
        for page in _pages(self._store.keys("uploads/")):
            needed = self._ledger.uploads.parts_in_use({item_of(key) for key, _ in page})
            for key, age_s in page:
                names = needed.get(item_of(key))
                if names is None or (part_of(key) not in names and age_s >= self._orphan_age_s):
                    self._store.delete(key)
                    removed += 1
        return removed

    def _run(self) -> None:
        while not self._ended.wait(self._every_s):
            try:
                self.reconcile()
                if self._ledger.periodic_tasks.claim("sweep", self._sweep_every):
                    self._tidy()
            except Unavailable as error:
                log.warning("reconcile_unavailable", detail=error.detail)

    def _tidy(self) -> None:
        forgotten = self._ledger.webhooks.prune_deliveries(DELIVERIES_KEPT)
        self._ledger.fetches.prune(RETRY_WINDOW)
        entries = self._ledger.audit.prune(self._audit_kept)
        log.info("swept", objects=self.sweep(), deliveries=forgotten, audit=entries)


def _pages(found: Iterable[tuple[str, float]]) -> Iterator[list[tuple[str, float]]]:
    """A store's keys, some at a time: nobody holds a million of them."""
    left = iter(found)
    while page := list(islice(left, PAGE)):
        yield page
