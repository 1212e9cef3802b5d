"""The Celery application: a message means "there is work", and nothing else.

The parent process never imports torch; each pool process builds its own ``Worker`` after the
fork and keeps it until it ends.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

import billiard
import structlog
from celery import Celery, signals
from celery.worker.request import Request
from kombu.transport.virtual import QoS

from photoward.core import telemetry
from photoward.core.errors import Unavailable
from photoward.core.lifeline import die_with
from photoward.core.queue import QUEUE, TASK, celery_settings

if TYPE_CHECKING:
    from photoward.core.settings import Settings
    from photoward.worker.lifecycle import Worker

BUDGET_S = 10.0
"""A task hands over to a fresh hint after this long, so that draining never takes much longer
than one batch."""

LEAVE_S = 30.0
"""A batch that has not ended so long after SIGTERM is given back; who sent it waits for 40."""

log = structlog.get_logger(__name__)
app = Celery("photoward")
_process: dict[str, Worker] = {}
_settings: list[Settings] = []
"""Those of the worker that runs in this process, set before it forks."""


@signals.setup_logging.connect  # type: ignore[untyped-decorator]  # Celery has no types
def set_up_logging(**_: Any) -> None:  # noqa: ANN401  # Celery passes what it likes
    """Keep our own form: connecting to this signal keeps Celery from setting up its own."""
    telemetry.configure_logging(json=True)
    logging.getLogger("celery").setLevel(logging.WARNING)  # it tells each task's coming and going


@signals.worker_process_init.connect  # type: ignore[untyped-decorator]  # Celery has no types
def start_process(**_: Any) -> None:  # noqa: ANN401  # Celery passes what it likes
    """Build this pool process's worker; torch is first imported here.

    Celery would only log a failure and keep an idle process: it ends instead, and who started
    the worker tries again.
    """
    die_with(os.getppid())
    threading.excepthook = end_process
    try:
        from photoward.worker.lifecycle import Worker  # noqa: PLC0415  # after the fork

        (settings,) = _settings
        _process["worker"] = Worker.start(settings)
        if settings.metrics_port:
            telemetry.serve_metrics(settings.http_host, settings.metrics_port)
    except Exception:
        log.exception("worker_start_failed")
        os.kill(os.getppid(), signal.SIGTERM)
        os._exit(os.EX_UNAVAILABLE)


def end_process(what: threading.ExceptHookArgs) -> None:
    """Give up when a thread dies of what nobody foresaw.

    A process without its reconciler or its lease keeper would look alive and not be; a new one
    starts with both.
    """
    log.error(
        "thread_failed",
        thread=what.thread.name if what.thread else None,
        exc_info=(what.exc_type, what.exc_value, what.exc_traceback),
    )
    os._exit(os.EX_SOFTWARE)


@signals.worker_process_shutdown.connect  # type: ignore[untyped-decorator]  # the same
def stop_process(**_: Any) -> None:  # noqa: ANN401  # Celery passes what it likes
    """Let go of connections and imaging children."""
    worker = _process.pop("worker", None)
    if worker is not None:
        worker.stop()


@signals.worker_shutting_down.connect  # type: ignore[untyped-decorator]  # the same
def leave_in_time(**_: Any) -> None:  # noqa: ANN401  # Celery passes what it likes
    """In the parent: Celery waits for the task for ever, and takes SIGTERM only once."""
    clock = threading.Timer(LEAVE_S, ask_children_to_leave)
    clock.daemon = True
    clock.start()


def ask_children_to_leave() -> None:
    """Pool processes give their batches back and end."""
    for child in billiard.active_children():
        child.terminate()


class Hint(Request):  # type: ignore[misc]  # Celery has no types
    """A message whose place is free again when it is used up, even if the broker cannot be told.

    Celery only logs that, and with one place a worker would never ask for another message: deaf,
    though it seems to live. The broker delivers the hint once more, which does no harm.
    """

    def acknowledge(self) -> None:
        """See Celery."""
        super().acknowledge()
        qos, tag = self.message.channel.qos, self.message.delivery_tag
        if tag in qos._delivered and tag not in qos._dirty:  # noqa: SLF001  # nothing else tells
            QoS.ack(qos, tag)


@app.task(name=TASK, Request=Hint)  # type: ignore[untyped-decorator]  # Celery has no types
def protect(_item_id: str) -> None:
    """Work off batches until nothing is queued or the budget is spent.

    Args:
        _item_id: the item whose queueing was hinted at; the ledger decides what is really done.
    """
    worker = _process["worker"]
    try:
        worker.work(BUDGET_S)
    except Unavailable as error:
        # The items were given back; the reconciler sends a wake-up when the ledger answers.
        log.warning("work_unavailable", detail=error.detail)
    except RuntimeError as error:
        if worker.on_accelerator:  # its context may be broken for good
            log.exception("accelerator_failed", error=str(error))
            os._exit(os.EX_SOFTWARE)
        raise


def configure(settings: Settings) -> None:
    """Take the settings for the worker of this process and its broker."""
    _settings[:] = [settings]
    app.conf.update(celery_settings(settings))


def run_worker(settings: Settings) -> None:
    """Run a worker in this process until SIGTERM; one pool process, for one device."""
    configure(settings)
    app.worker_main(
        [
            "--quiet",
            "worker",
            "--pool",
            "prefork",
            "--concurrency",
            "1",
            "--queues",
            QUEUE,
            "--without-gossip",
            "--without-mingle",
        ]
    )
