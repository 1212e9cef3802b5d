"""Celery's settings, each with its reason; the same for senders and workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from photoward.core.queue.names import QUEUE

if TYPE_CHECKING:
    from photoward.core.settings import Settings

MARGIN_S = 120
"""Of Celery's limits beyond a batch's own: a task begins batches for a while."""


def celery_settings(settings: Settings) -> dict[str, Any]:
    """Arguments of ``Celery.conf.update``. They contain the broker's password: never print them."""
    limit_s = round(settings.worker_batch_timeout_seconds) + MARGIN_S
    return {
        "broker_url": settings.broker,
        "broker_transport_options": _transport(limit_s),
        # A broker that is unreachable at the start or for a day is waited for.
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "task_default_queue": QUEUE,
        # Messages contain ids only, as JSON: nothing that could run, nothing secret.
        "task_serializer": "json",
        "accept_content": ["json"],
        # The ledger holds the outcome; a result backend would double the cost of publishing.
        "result_backend": None,
        "task_ignore_result": True,
        # A wake-up is acknowledged when its task ends, not when a worker receives it.
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        # What waits inside a busy worker cannot go to an idle one.
        "worker_prefetch_multiplier": 1,
        # The last resort: a child ends by itself when a batch hangs, unless all of it stands.
        "task_time_limit": limit_s,
        # The work goes on without the broker, since its outcome goes to the ledger.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # The child imports torch and loads a surrogate before it says that it lives: some seconds,
        # or minutes where others take the processors. Killed for that, none would ever begin.
        "worker_proc_alive_timeout": 600.0,
        # Nobody asks workers by broadcast (liveness is a file); each would cost a queue a worker.
        "worker_enable_remote_control": False,
    }


def _transport(limit_s: int) -> dict[str, Any]:
    return {
        # Longer than the limit, or a wake-up would be delivered twice while it is worked on.
        "visibility_timeout": limit_s + MARGIN_S,
        # A killed worker's wake-ups come back within 15 s of that; by default the sweep is 100 s.
        "unacked_restore_interval": 15,
        "unacked_restore_throttle": 1,
        # A broker that is gone without closing the connection must not hold anyone for ever.
        "socket_timeout": 10.0,
        "socket_connect_timeout": 5.0,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "retry_on_timeout": True,
        # One list: the ledger orders the work.
        "priority_steps": [0],
    }
