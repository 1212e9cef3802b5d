"""Ten thousand photos as one batch while everything that can die does."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest

from photoward.core.jobs import FINAL_STATES
from tests.support.audit import audit
from tests.support.faults import SWEEPING, extra_runs, free_of_cost, known_ids, rows, swept, until
from tests.support.findings import note
from tests.support.plant import Plant, plant
from tests.support.scale import scaled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from photoward.core.settings import Settings

COUNT = scaled(2_000, 10_000)
WITHIN_S = 15 * 60
UNLUCKY = 0.001
"""Share of photos that may meet a kill at each of their three attempts."""

APART_S = 12
"""Between two faults."""

STORE_AWAY_S, BROKER_AWAY_S = 10.0, 3.0


@pytest.mark.chaos
def test_ten_thousand_photos_with_all_faults_running(
    monkeypatch: pytest.MonkeyPatch, postgres_url: str
) -> None:
    with plant(monkeypatch, postgres_url, **SWEEPING) as made:
        batch = new_batch(made)
        uploads = [replace(one, batch=batch) for one in free_of_cost(COUNT)]
        began = time.monotonic()
        with tormented(made) as (faults, peace):
            ids = made.service.upload(uploads, patient=True)
            sent_s = time.monotonic() - began
            until(lambda: not unfinished(made.settings), WITHIN_S - sent_s, "it takes too long")
            took = time.monotonic() - began
            peace()
            items = {row["id"]: row for row in rows(made.settings, "items")}
            lost = [item_id for item_id in ids if item_id not in items]
            failed = Counter(items[one]["error_code"] for one in ids if items[one]["error_code"])
            note(
                f"{COUNT} items as a batch with the faults running", "≤ 15 min",
                f"{took / 60:.1f} min ({sent_s:.0f} s of them to submit), {len(faults)} faults, "
                f"{extra_runs(made.settings)} extra runs, {len(lost)} lost, "
                f"{failed.total()} met three kills and failed",
                "PostgreSQL, S3, method cuda, 32 × 32",
            )  # fmt: skip
            assert faults
            assert not lost
            assert failed.keys() <= {"worker_lost"}, (
                "whoever dies three times over a photo gives it up"
            )
            assert failed.total() <= COUNT * UNLUCKY
            assert took <= WITHIN_S
            swept(made.settings, sum(row["state"] == "done" for row in items.values()))
            audit(made.service, made.settings, known_ids(made.settings))


def new_batch(made: Plant) -> str:
    """The id of a batch without items."""
    made_it = httpx.post(f"{made.service.url}/v1/batches", json={"name": "chaos"})
    return str(made_it.json()["id"])


def unfinished(settings: Settings) -> bool:
    """Whether something has not ended."""
    time.sleep(1)  # it reads all rows
    return bool({row["state"] for row in rows(settings, "items")} - set(FINAL_STATES))


@contextmanager
def tormented(made: Plant) -> Iterator[tuple[list[str], Callable[[], None]]]:
    """What has happened so far, and how to end it.

    Servers die with the thread that has started them: it lives until the end of the block.
    """
    ended, calm, over = threading.Event(), threading.Event(), threading.Event()
    faults: list[str] = []

    def run() -> None:
        torment(made, ended, faults)
        calm.set()
        over.wait()

    def peace() -> None:
        ended.set()
        assert calm.wait(60), "somebody has not come back"

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield faults, peace
    finally:
        ended.set()
        over.set()
        thread.join()


def torment(made: Plant, ended: threading.Event, faults: list[str]) -> None:
    """One fault after the other, in turn, until the end."""
    service = made.service
    chance = random.Random(7)

    def store_away() -> None:
        made.store.kill()
        ended.wait(STORE_AWAY_S)
        made.store.start()

    def broker_away() -> None:
        made.broker.server.kill()
        ended.wait(BROKER_AWAY_S)
        made.broker.server.start()

    kinds: dict[str, Callable[[], None]] = {
        "pool process killed": lambda: service.kill(service.pool_process()),
        "broker killed": broker_away,
        "worker killed": lambda: service.kill(service.part("worker")),
        "store away": store_away,
        "API killed": lambda: service.kill(service.part("api")),
        "broker wiped": made.broker.wiped,
    }
    for name in itertools.cycle(kinds):
        if ended.wait(APART_S * (0.5 + chance.random())):
            return
        kinds[name]()
        faults.append(name)
