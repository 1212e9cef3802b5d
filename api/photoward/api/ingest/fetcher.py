"""Fetches what manifests name, and hands it in by the same door as uploads.

Runs in threads beside the answers; many processes may fetch at once. A photo that is being fetched
is leased to its fetcher in the ledger, so that it arrives once, whoever dies.
"""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Self

import structlog

from photoward.api.http.body.reader import Upload
from photoward.api.ingest.admission import FRESH_S
from photoward.api.ingest.spool import Spool
from photoward.api.ingest.submit import arrived
from photoward.core.errors import BadInput, Overloaded, PhotowardError, Unavailable
from photoward.core.failpoints import failpoint
from photoward.core.fetches import MAX_TRIES, RETRIES, next_try
from photoward.core.jobs import Failure
from photoward.core.telemetry import ARRIVALS

if TYPE_CHECKING:
    from types import TracebackType

    from photoward.api.http.deps import Parts
    from photoward.core.fetches import Arrival

AT_ONCE = 4
"""By one process: they wait for others most of the time, and are written to the store in turn."""

PATIENCE_S = 5.0
"""How long the end of a process waits for them; then their leases run out."""

UNREACHABLE = "source_unreachable"
SOURCES = frozenset({"source_blocked", "source_missing", "over_quota"})
"""Refusals that are not the file's: another day it may go well."""

log = structlog.get_logger("photoward.arrivals")


class Fetcher:
    """Takes arrivals one by one, as long as the block lasts."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        settings = parts.settings
        self._every_s = settings.fetch_poll_interval_seconds
        # From its taking to its last byte, or from there to its row.
        self._lease = timedelta(
            seconds=settings.fetch_timeout_seconds + settings.queue_lease_seconds
        )
        self._ended = threading.Event()
        self._looked_at = float("-inf")
        self._looking = threading.Lock()
        self._storing = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, name=f"fetch-{n}", daemon=True)
            for n in range(AT_ONCE)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._parts.expecting.set()
        until = time.monotonic() + PATIENCE_S
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _run(self) -> None:
        """Until the end, whatever happens: without fetchers nothing would ever arrive."""
        while not self._ended.is_set():
            try:
                arrival = self._next()
                if arrival is not None:
                    self._settle(arrival)
            except Unavailable as error:  # the ledger: then the lease runs out
                log.warning("fetch_unavailable", detail=error.detail)
            except Exception:
                log.exception("fetcher_broke")
                self._ended.wait(self._every_s)

    def _next(self) -> Arrival | None:
        """What is due, as soon as something is and the queue has room; None: it is over.

        One thread looks while the others fetch or wait.
        """
        with self._looking:
            while not self._ended.is_set():
                self._parts.expecting.clear()
                try:
                    arrival = self._parts.ledger.take_arrival(self._lease)
                    if arrival is not None and self._has_room(arrival):
                        return arrival
                except Unavailable as error:
                    log.warning("fetch_unavailable", detail=error.detail)
                self._parts.expecting.wait(self._every_s)
        return None

    def _has_room(self, arrival: Arrival) -> bool:
        if time.monotonic() - self._looked_at < FRESH_S:
            return True
        try:
            self._parts.admission.check_now()
        except (Overloaded, Unavailable):
            self._parts.ledger.postpone(arrival, RETRIES[0], counted=False)
            return False
        self._looked_at = time.monotonic()
        return True

    def _settle(self, arrival: Arrival) -> None:
        """Fetch a photo, and see to it that its item is told what became of that."""
        failpoint("arrival-taken")
        error = self._tried(arrival)
        outcome = error.code if error else "fetched"
        if error is not None:
            # What we are to blame for is tried as often as it takes, what the source is, thrice.
            ours = isinstance(error, Unavailable) and error.code != UNREACHABLE
            wait = RETRIES[0] if ours else next_try(arrival.tries)
            if wait is None or isinstance(error, BadInput | Overloaded):
                final = isinstance(error, BadInput) and error.code not in SOURCES
                failure = Failure(arrival.item_id, error.code, error.detail)
                self._parts.ledger.miss(arrival, failure, final=final)
            else:
                self._parts.ledger.postpone(arrival, wait, counted=not ours)
        ARRIVALS.labels(arrival.kind, outcome).inc()
        log.info("arrival", item=arrival.item_id, source=arrival.kind, outcome=outcome)

    def _tried(self, arrival: Arrival) -> PhotowardError | None:
        """Fetch a photo and hand it in; why not, if not."""
        if arrival.tries > MAX_TRIES:
            return PhotowardError("worker_lost", f"It outlived {MAX_TRIES} processes.")
        try:
            self._fetch(arrival)
        except PhotowardError as error:
            return error
        except Exception as error:  # one bad source never stops the rest
            log.exception("fetch_broke", item=arrival.item_id)
            return PhotowardError("internal_error", f"It broke ({type(error).__name__}).")
        return None

    def _fetch(self, arrival: Arrival) -> None:
        parts = self._parts
        with Spool.of(parts.settings, declared=None, filename=arrival.filename) as spool:
            self._read(arrival, spool)
            failpoint("arrival-fetched")
            upload = Upload(spool.finish(), arrival.options, spool.file())
            with self._storing:
                held = parts.ledger.hold_arrival(arrival, self._lease)
                item = arrived(parts, arrival, upload) if held else None
        if item is not None:
            parts.announcer.announce(item.id)

    def _read(self, arrival: Arrival, spool: Spool) -> None:
        until = time.monotonic() + self._parts.settings.fetch_timeout_seconds
        kind = self._parts.kinds[arrival.kind]
        with kind.opened(arrival.tenant, arrival.place) as chunks:
            for chunk in chunks:
                if self._ended.is_set():
                    raise Unavailable("The service is shutting down.")
                if time.monotonic() > until:
                    raise Unavailable("The source takes too long.", UNREACHABLE)
                spool.write(chunk)
