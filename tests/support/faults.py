"""What the fault tests share: pictures that cost nothing, waiting, and what is only seen inside."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import redis
import sqlalchemy as sa
from PIL import Image

from photoward.api.cli import sample_images
from photoward.api.cli.client import Client, Refusal
from photoward.core.errors import Unavailable
from photoward.core.ledger.engine import make_engine
from photoward.core.storage import open_store
from tests.support.beside import beside
from tests.support.stack import Stack, Upload

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Sequence

    from photoward.core.settings import Settings

HASTY = {
    "PHOTOWARD_QUEUE_LEASE_SECONDS": "4",
    "PHOTOWARD_WORKER_RECONCILE_INTERVAL_SECONDS": "1",
    "PHOTOWARD_WORKER_SWEEP_INTERVAL_SECONDS": "1",
    "PHOTOWARD_RETENTION_ORPHAN_SECONDS": "15",
}
"""Where time is not what is measured."""


SWEEPING = {
    "PHOTOWARD_WORKER_SWEEP_INTERVAL_SECONDS": "1",
    "PHOTOWARD_RETENTION_ORPHAN_SECONDS": "30",
}
"""So that what crashes leave in the store is gone before the audit, not within the hour."""


def free_of_cost(count: int) -> list[Upload]:
    """Different pictures of 32 × 32 and the one method that asks no network."""
    tiles = sample_images.small_pictures(count, 11)
    return [
        Upload(sample_images.encoded(Image.fromarray(tile), "PNG"), label="cat", method="cuda")
        for tile in tiles
    ]


class Sender:
    """Somebody who uploads all the time and writes down what is answered.

    Args:
        service: where to.
        uploads: again and again.
        pace_s: between an answer and the next upload.
    """

    def __init__(self, service: Stack, uploads: Sequence[Upload], pace_s: float = 0.1) -> None:
        self.ids: list[str] = []
        self.answers: list[int] = []
        """Statuses; 0: nobody was there."""
        self._service, self._uploads, self._pace_s = service, uploads, pace_s

    @property
    def statuses(self) -> set[int]:
        """All that were answered."""
        return set(self.answers)

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Until the end of the block."""
        with beside(self._run):
            yield

    def _run(self, ended: threading.Event) -> None:
        while not ended.wait(self._pace_s):
            one = self._uploads[len(self.answers) % len(self._uploads)]
            try:
                with Client(self._service.url) as client:
                    item = client.submit(
                        one.data, one.media_type, method=one.method, label=one.label
                    )  # fmt: skip
                self.ids.append(str(item["id"]))
                self.answers.append(202)
            except Refusal as refusal:
                self.answers.append(refusal.status)
            except Unavailable:
                self.answers.append(0)


def until(condition: Callable[[], bool], within_s: float = 60.0, what: str = "") -> float:
    """Wait for something; how many seconds that took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < within_s, what
        time.sleep(0.02)
    return time.monotonic() - began


def rows(settings: Settings, table: str) -> list[dict[str, Any]]:
    """Everything that the ledger keeps in a table."""
    engine = make_engine(settings.database)
    try:
        with engine.connect() as connection:
            found = connection.execute(sa.text(f"SELECT * FROM {table}"))  # noqa: S608  # a constant
            return [dict(row) for row in found.mappings()]
    finally:
        engine.dispose()


def known_ids(settings: Settings) -> list[str]:
    """Every item of the ledger that is not hidden: also those whose sender never got an answer."""
    return [str(row["id"]) for row in rows(settings, "items") if row["deleted_at"] is None]


def extra_runs(settings: Settings) -> int:
    """How many times more than once items were begun."""
    return sum(max(row["attempts"] - 1, 0) for row in rows(settings, "items"))


def swept(settings: Settings, outputs: int) -> None:
    """Wait until what crashes left in the store is gone."""
    store = open_store(settings)
    until(lambda: len(list(store.keys(""))) == outputs, 90, "something stays in the store")


def states(items: Sequence[dict[str, Any]]) -> set[str]:
    """How they ended."""
    return {item["state"] for item in items}


def broker(settings: Settings) -> redis.Redis:
    """A client of the broker, which listens on a socket in all tests."""
    path = settings.broker.removeprefix("redis+socket://").partition("?")[0]
    return redis.Redis(unix_socket_path=path)
