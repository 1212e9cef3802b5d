"""The sender's side of the broker: wake-ups for workers, sent within a second or not at all."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from photoward.core.errors import Unavailable
from photoward.core.queue.names import QUEUE, TASK
from photoward.core.queue.options import celery_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from celery import Celery
    from kombu.messaging import Producer

    from photoward.core.settings import Settings

BROKER_TIMEOUT_S = 0.3
"""Longest wait for one answer of the broker; the caller's photo is stored already."""

SENDERS = 40
"""Threads that may send at once: as many as a web server's pool has."""


class WakeUpSender(Protocol):
    """Wakes up workers.

    Losing every wake-up loses no item: the reconciler asks the ledger and notifies again.
    """

    def send(self, item_id: str) -> bool:
        """Tell workers that an item is queued; False: the broker did not take it. Never raises."""

    def check(self) -> None:
        """Raises Unavailable when the broker does not answer."""


class CeleryWakeUpSender:
    """A ``WakeUpSender`` that publishes Celery tasks; safe to use from many threads."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def send(self, item_id: str) -> bool:
        """Publish the item's id; returns within a second, whatever the broker does."""
        try:
            with self._producer() as producer:
                self._app.send_task(
                    TASK, args=[item_id], queue=QUEUE, producer=producer, retry=False
                )
        except Exception:  # noqa: BLE001  # it never raises; the ledger still has the item
            return False
        return True

    def check(self) -> None:
        """Raises Unavailable when the broker does not answer."""
        try:
            with self._producer() as producer:
                producer.channel.client.ping()
        except Exception as error:
            # No words of the driver's: they may name the broker's address and user.
            raise Unavailable("The broker does not respond.") from error

    @contextmanager
    def _producer(self) -> Iterator[Producer]:
        with self._app.amqp.producer_pool.acquire(block=True, timeout=BROKER_TIMEOUT_S) as producer:
            yield producer


def open_wake_up_sender(settings: Settings) -> CeleryWakeUpSender:
    """A notifier through ``settings.broker``; it connects at the first wake-up."""
    from celery import Celery  # noqa: PLC0415  # half a second, and not for who only names queues

    app = Celery("photoward", set_as_current=False)
    app.conf.update(celery_settings(settings))
    # Connections are made as needed; with fewer, threads would wait for each other.
    app.conf.broker_pool_limit = SENDERS
    app.conf.broker_transport_options |= {
        "socket_timeout": BROKER_TIMEOUT_S,
        "socket_connect_timeout": BROKER_TIMEOUT_S,
        "retry_on_timeout": False,
        "max_retries": 0,
    }
    return CeleryWakeUpSender(app)
