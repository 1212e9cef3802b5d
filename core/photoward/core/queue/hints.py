"""The sender's side of the broker: hints that are sent fast or not at all."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from photoward.core.errors import Unavailable
from photoward.core.queue.names import QUEUE, TASK
from photoward.core.queue.options import celery_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from celery import Celery
    from kombu.messaging import Producer

    from photoward.core.ports import Hints
    from photoward.core.settings import Settings

PATIENCE_S = 0.3
"""Longest wait for one answer of the broker; the caller is an upload that is stored already."""

SENDERS = 40
"""Threads that may send at once: as many as a web server's pool has."""


class CeleryHints:
    """The ``Hints`` port over a Celery broker; safe to use from many threads."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def hint(self, item_id: str) -> bool:
        """See the port. Answers within a second, whatever the broker does."""
        try:
            with self._producer() as producer:
                self._app.send_task(
                    TASK, args=[item_id], queue=QUEUE, producer=producer, retry=False
                )
        except Exception:  # noqa: BLE001  # the port's promise; the ledger still has the item
            return False
        return True

    def check(self) -> None:
        """See the port."""
        try:
            with self._producer() as producer:
                producer.channel.client.ping()
        except Exception as error:
            # No words of the driver's: they may name the broker's address and user.
            raise Unavailable("The broker does not respond.") from error

    @contextmanager
    def _producer(self) -> Iterator[Producer]:
        with self._app.amqp.producer_pool.acquire(block=True, timeout=PATIENCE_S) as producer:
            yield producer


def open_hints(settings: Settings) -> Hints:
    """A sender to ``settings.broker``; connects at the first hint."""
    from celery import Celery  # noqa: PLC0415  # half a second, and not for who only names queues

    app = Celery("photoward", set_as_current=False)
    app.conf.update(celery_settings(settings))
    # Connections are made as needed; with fewer, threads would wait for each other's patience.
    app.conf.broker_pool_limit = SENDERS
    app.conf.broker_transport_options |= {
        "socket_timeout": PATIENCE_S,
        "socket_connect_timeout": PATIENCE_S,
        "retry_on_timeout": False,
        "max_retries": 0,
    }
    return CeleryHints(app)
