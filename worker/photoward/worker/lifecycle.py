"""What one worker process holds from its start to its end.

Built after the fork, so that neither torch nor a connection ever crosses one.
"""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from photoward.core.catalogue import Catalogue
from photoward.core.errors import Unavailable
from photoward.core.imaging.sandbox import confinement
from photoward.core.imaging.sandbox.pool import ImagingPool
from photoward.core.key_derivation import read_or_make_master
from photoward.core.ledger import open_ledger
from photoward.core.queue import open_wake_up_sender
from photoward.core.storage import open_store
from photoward.core.tracing import NO_OP, open_tracer
from photoward.models.surrogates.cache import SurrogateCache
from photoward.worker.batch_sizer import BatchSizer
from photoward.worker.claim import claim
from photoward.worker.heartbeat import Heartbeat
from photoward.worker.job_group import JobGroupWorker
from photoward.worker.pipeline import Pipeline
from photoward.worker.provenance import open_signer
from photoward.worker.queue_poller import QueuePoller
from photoward.worker.reconciler import Reconciler
from photoward.worker.watchdog import Watchdog
from photoward.worker.webhook_dispatcher import WebhookDispatcher

if TYPE_CHECKING:
    from photoward.core.ledger import Ledger
    from photoward.core.queue import WakeUpSender
    from photoward.core.settings import Settings
    from photoward.core.targets import Targets
    from photoward.core.tracing import Tracer

MOST_CHILDREN = 4

CONCURRENT_GROUPS = 2
"""Batches in one worker at a time."""

LOOK_AGAIN_S = 0.05
"""How soon an idle slot asks the ledger again."""

LIGHT = 0.1
"""A batch of more than this share of the megapixel limit travels alone: memory is bounded by
one full batch and a light one."""

log = structlog.get_logger(__name__)


def imaging_children(settings: Settings) -> int:
    """How many decoder processes a worker keeps."""
    return settings.imaging_processes or min(os.cpu_count() or 1, MOST_CHILDREN)


def open_pipeline(
    settings: Settings, targets: Targets | None = None
) -> tuple[Pipeline, ImagingPool]:
    """The imaging children and the networks, ready to protect; the caller closes both."""
    children = imaging_children(settings)
    pool = ImagingPool.of(settings, children)
    cache = SurrogateCache.of(settings)
    return Pipeline(pool, cache, children, open_signer(settings), targets), pool


@dataclass
class Worker:
    """A running worker process: claims and works off batches until nothing is queued."""

    settings: Settings
    ledger: Ledger
    batches: JobGroupWorker
    pipeline: Pipeline
    pool: ImagingPool
    reconciler: Reconciler
    webhook_dispatcher: WebhookDispatcher
    heartbeat: Heartbeat
    watchdog: Watchdog
    wake_ups: WakeUpSender
    tracer: Tracer = NO_OP

    def __post_init__(self) -> None:
        """Nothing is in flight."""
        self.queue_poller = QueuePoller(
            self.ledger, self.work, stall_s=self.settings.queue_stall_seconds
        )
        self._turn = threading.Condition()
        self._passing_on = threading.Lock()
        self._passed_on = False
        self._pixels = 0
        self._light = LIGHT * self.settings.worker_max_batch_megapixels * 1e6

    @classmethod
    def start(cls, settings: Settings) -> Worker:
        """Open everything, load and warm up the default surrogate, begin to reconcile."""
        ledger, store, wake_ups = (
            open_ledger(settings),
            open_store(settings),
            open_wake_up_sender(settings),
        )
        pipeline, pool = open_pipeline(settings, ledger.targets)
        pipeline.warm_up(Catalogue.of(settings))
        master = read_or_make_master(settings.master_secret)
        tracer = open_tracer("worker")
        batches = JobGroupWorker(
            ledger=ledger,
            store=store,
            pipeline=pipeline,
            master=master,
            lease_s=settings.queue_lease_seconds,
            tracer=tracer,
            sizer=BatchSizer(settings.worker_target_batch_seconds, settings.worker_max_batch_items),
        )
        reconciler = Reconciler(
            ledger=ledger,
            store=store,
            wake_ups=wake_ups,
            every_s=settings.worker_reconcile_interval_seconds,
            sweep_every_s=settings.worker_sweep_interval_seconds,
            orphan_age_s=settings.retention_orphan_seconds,
            audit_days=settings.retention_audit_days,
        )
        reconciler.reconcile()
        reconciler.start()
        webhook_dispatcher = WebhookDispatcher(
            ledger,
            master,
            private=settings.webhook_allow_private,
            every_s=settings.webhook_poll_interval_seconds,
            public_url=settings.http_public_url,
        )
        webhook_dispatcher.start()
        heartbeat = Heartbeat(settings.worker_heartbeat_file)
        heartbeat.start()
        if missing := confinement.lacking():
            log.warning("imaging_not_confined", lacking=missing)
        watchdog = Watchdog(ledger, settings.worker_batch_timeout_seconds)
        watchdog.start()
        log.info("worker_ready", surrogate=settings.engine_surrogate)
        worker = cls(
            settings,
            ledger,
            batches,
            pipeline,
            pool,
            reconciler,
            webhook_dispatcher,
            heartbeat,
            watchdog,
            wake_ups,
            tracer,
        )
        worker.queue_poller.start()
        return worker

    @property
    def on_accelerator(self) -> bool:
        """Whether the noise is made on another device than the CPU."""
        return self.pipeline.device.type != "cpu"

    def work(self, budget_s: float) -> None:
        """Work off batches until nothing is queued or the budget is spent.

        Two slots claim in turn, so that one batch is fetched, decoded, encoded and stored while
        the noise of the other is made. What is left is somebody else's, who is told of it once.

        Raises:
            SystemExit: the process was asked to leave; what was under way was given back.
        """
        until = time.monotonic() + budget_s
        self._passed_on = False
        try:
            with ThreadPoolExecutor(CONCURRENT_GROUPS, "pipeline") as threads:
                slots = [threads.submit(self._run_slot, until) for _ in range(CONCURRENT_GROUPS)]
        except SystemExit:
            self.watchdog.give_back()
            raise
        if any([slot.result() for slot in slots]):  # noqa: C419  # each slot's error must show
            self._pass_on()

    def _run_slot(self, until: float) -> bool:
        while time.monotonic() < until:
            with self._turn:
                self._turn.wait_for(lambda: self._pixels <= self._light)
                items = claim(self.ledger, self.settings, self.batches.sizer)
                if not items and not self._pixels:
                    return False
                if not items:  # more may come while the other slot is at work
                    self._turn.wait(LOOK_AGAIN_S)
                    continue
                pixels = sum(item.source.width * item.source.height for item in items)
                self._pixels += pixels
            with self.watchdog.watch(items[0].lease_token or ""), ExitStack() as weight:
                weight.callback(self._lighten, pixels)
                self._pass_on()
                self.batches.work_off(items, weight.close)
        return True

    def _pass_on(self) -> None:
        """Hint at what is left queued, once a task: an idle worker takes that, and does the same.

        So one hint wakes as many workers as there is work for, and while all are busy one waits.
        """
        with self._passing_on:
            if self._passed_on:
                return
            with suppress(Unavailable):  # then the reconciler hints
                waiting = self.ledger.items.next_queued_id()
                if waiting is not None:
                    self._passed_on = True
                    self.wake_ups.send(waiting)

    def _lighten(self, pixels: int) -> None:
        with self._turn:
            self._pixels -= pixels
            self._turn.notify_all()

    def stop(self) -> None:
        """Let go of everything; nothing is in hand between two batches."""
        self.queue_poller.stop()
        self.watchdog.stop()
        self.heartbeat.stop()
        self.webhook_dispatcher.stop()
        self.reconciler.stop()
        self.pipeline.close()
        self.pool.close_all()
        self.ledger.close()
        self.tracer.close()
