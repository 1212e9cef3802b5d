"""What the fault tests share: pictures that cost nothing, waiting, and what is only seen inside."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import redis
import sqlalchemy as sa
from PIL import Image

from photoward.api.cli import samples
from photoward.core.jobs import State
from photoward.core.ledger.engine import make_engine
from tests.support.stack import Upload

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from photoward.core.ports import Ledger
    from photoward.core.settings import Settings

HASTY = {
    "PHOTOWARD_LEASE_S": "4", "PHOTOWARD_RECONCILE_EVERY_S": "1", "PHOTOWARD_SWEEP_EVERY_S": "1",
    "PHOTOWARD_ORPHAN_AGE_S": "15",
}  # fmt: skip
"""Where time is not what is measured."""


def free_of_cost(count: int) -> list[Upload]:
    """Different pictures of 32 × 32 and the one method that asks no network."""
    tiles = samples.small_pictures(count, 11)
    return [
        Upload(samples.encoded(Image.fromarray(tile), "PNG"), label="cat", method="cuda")
        for tile in tiles
    ]


def until(condition: Callable[[], bool], within_s: float = 60.0, what: str = "") -> float:
    """Wait for something; how many seconds that took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < within_s, what
        time.sleep(0.02)
    return time.monotonic() - began


def at_work(ledger: Ledger) -> bool:
    """Whether some worker holds something."""
    return bool(ledger.depth().get(State.LEASED))


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
    return [str(row["id"]) for row in rows(settings, "items") if row["hidden_at"] is None]


def extra_runs(settings: Settings) -> int:
    """How many times more than once items were begun."""
    return sum(max(row["attempts"] - 1, 0) for row in rows(settings, "items"))


def states(items: Sequence[dict[str, Any]]) -> set[str]:
    """How they ended."""
    return {item["state"] for item in items}


def broker(settings: Settings) -> redis.Redis:
    """A client of the broker, which listens on a socket in all tests."""
    path = settings.broker.removeprefix("redis+socket://").partition("?")[0]
    return redis.Redis(unix_socket_path=path)
