"""Fetches the photos that manifests name, and submits them as uploads are.

Runs in threads of the serving process; several processes may fetch at once. A fetch is leased in
the ledger to the thread that does it, so that each photo comes once whichever process dies.
"""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Self

import structlog

from photoward.api.ingest.admission import CACHE_S
from photoward.api.ingest.spool import Spool
from photoward.api.ingest.submit import complete_fetch
from photoward.core.errors import BadInput, Overloaded, PhotowardError, Unavailable
from photoward.core.failpoints import failpoint
from photoward.core.fetches import MAX_FETCH_ATTEMPTS, RETRY_DELAYS, retry_delay
from photoward.core.jobs import Failure
from photoward.core.telemetry import FETCHES

if TYPE_CHECKING:
    from types import TracebackType

    from photoward.api.ingest.services import IngestServices
    from photoward.core.fetches import FetchJob

THREADS = 4
"""In one process: they wait for sources most of the time, and write to the store one at a time."""

SHUTDOWN_S = 5.0
"""How long the process waits for them at its end; leases of unfinished fetches run out."""

UNREACHABLE = "source_unreachable"
SOURCE_FAULTS = frozenset({"source_blocked", "source_missing", "over_quota"})
"""Refusals that another attempt, later, may not meet: they are not the file's fault."""

log = structlog.get_logger("photoward.fetches")


class Fetcher:
    """Fetches one photo after another in each thread, until the end of the block."""

    def __init__(self, services: IngestServices) -> None:
        self._services = services
        settings = services.settings
        self._poll_s = settings.fetch_poll_interval_seconds
        # For the download, and again for the writes after it.
        self._lease = timedelta(
            seconds=settings.fetch_timeout_seconds + settings.queue_lease_seconds
        )
        self._stopped = threading.Event()
        self._checked_at = float("-inf")
        self._polling = threading.Lock()
        self._storing = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, name=f"fetch-{n}", daemon=True)
            for n in range(THREADS)
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
        self._stopped.set()
        self._services.fetch_wake_up.set()
        until = time.monotonic() + SHUTDOWN_S
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _run(self) -> None:
        """Until the end, whatever fails: a thread that ended would not be replaced."""
        while not self._stopped.is_set():
            try:
                job = self._next()
                if job is not None:
                    self._process(job)
            except Unavailable as error:  # of the ledger: the lease runs out
                log.warning("fetch_unavailable", detail=error.detail)
            except Exception:
                log.exception("fetcher_broke")
                self._stopped.wait(self._poll_s)

    def _next(self) -> FetchJob | None:
        """The next fetch that is due and for whose photo the queue has room; None: at the end.

        One thread polls while the others fetch or wait.
        """
        with self._polling:
            while not self._stopped.is_set():
                self._services.fetch_wake_up.clear()
                try:
                    job = self._services.ledger.fetches.claim(self._lease)
                    if job is not None and self._has_room(job):
                        return job
                except Unavailable as error:
                    log.warning("fetch_unavailable", detail=error.detail)
                self._services.fetch_wake_up.wait(self._poll_s)
        return None

    def _has_room(self, job: FetchJob) -> bool:
        if time.monotonic() - self._checked_at < CACHE_S:
            return True
        try:
            self._services.admission.check_now()
        except (Overloaded, Unavailable):
            self._services.ledger.fetches.reschedule(job, RETRY_DELAYS[0], counted=False)
            return False
        self._checked_at = time.monotonic()
        return True

    def _process(self, job: FetchJob) -> None:
        """Fetch a photo and record the outcome in the ledger."""
        failpoint("fetch-claimed")
        error = self._attempt(job)
        outcome = error.code if error else "fetched"
        if error is not None:
            # Faults of the service are retried without limit, those of the source three times.
            ours = isinstance(error, Unavailable) and error.code != UNREACHABLE
            wait = RETRY_DELAYS[0] if ours else retry_delay(job.attempts)
            if wait is None or isinstance(error, BadInput | Overloaded):
                final = isinstance(error, BadInput) and error.code not in SOURCE_FAULTS
                failure = Failure(job.item_id, error.code, error.detail)
                self._services.ledger.fetches.fail(job, failure, final=final)
            else:
                self._services.ledger.fetches.reschedule(job, wait, counted=not ours)
        FETCHES.labels(job.source_kind, outcome).inc()
        log.info("fetched", item=job.item_id, source=job.source_kind, outcome=outcome)

    def _attempt(self, job: FetchJob) -> PhotowardError | None:
        """Fetch and submit a photo; the error that prevented it, or None."""
        if job.attempts > MAX_FETCH_ATTEMPTS:
            return PhotowardError("worker_lost", f"It outlived {MAX_FETCH_ATTEMPTS} processes.")
        try:
            self._fetch(job)
        except PhotowardError as error:
            return error
        except Exception as error:  # one bad source never stops the rest
            log.exception("fetch_broke", item=job.item_id)
            return PhotowardError("internal_error", f"It broke ({type(error).__name__}).")
        return None

    def _fetch(self, job: FetchJob) -> None:
        services = self._services
        with Spool.for_service(services.settings, declared=None, filename=job.filename) as spool:
            self._read(job, spool)
            failpoint("photo-fetched")
            image = spool.checked(job.options)
            with self._storing:
                held = services.ledger.fetches.renew_lease(job, self._lease)
                item = complete_fetch(services, job, image) if held else None
        if item is not None:
            services.notifier.notify(item.id)

    def _read(self, job: FetchJob, spool: Spool) -> None:
        until = time.monotonic() + self._services.settings.fetch_timeout_seconds
        source = self._services.sources[job.source_kind]
        with source.opened(job.tenant, job.location) as chunks:
            for chunk in chunks:
                if self._stopped.is_set():
                    raise Unavailable("The service is shutting down.")
                if time.monotonic() > until:
                    raise Unavailable("The source takes too long.", UNREACHABLE)
                spool.write(chunk)
