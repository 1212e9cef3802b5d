"""A real ``photoward worker`` over a real broker."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

import psutil
import pytest

from photoward.core.failpoints import HANGING
from photoward.core.jobs import FINAL_STATES, State, new_id
from photoward.core.object_keys import original_key, output_key
from photoward.core.queue import open_wake_up_sender
from photoward.worker.celery_app import LEAVE_S
from tests.core.imaging.pictures import file, image
from tests.support.samples import options, source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from photoward.core.jobs import Item
    from photoward.core.ledger import Ledger
    from photoward.core.settings import Settings
    from photoward.core.storage import ObjectStore

pytestmark = pytest.mark.system
START_S = 60.0


@pytest.fixture
def settings(settings: Settings, redis_url: str) -> Settings:
    return settings.model_copy(update={"redis_url": redis_url})


@contextmanager
def working(settings: Settings, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process of these settings; killed at the end if it still runs."""
    given = {
        "PHOTOWARD_DATA_DIR": str(settings.data_dir),
        "REDIS_URL": settings.redis_url or "",
        "PHOTOWARD_ENGINE_METHOD": settings.engine_method,
        "PHOTOWARD_ENGINE_SURROGATE": settings.engine_surrogate,
        "PHOTOWARD_WORKER_RECONCILE_INTERVAL_SECONDS": "600",
        "PHOTOWARD_ENGINE_SURROGATE_DIRS": f'["{settings.engine_surrogate_dirs[0]}"]',
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore",  # Celery warns root
    }
    with (settings.data_dir / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "photoward.api.cli", "worker"],
            env={**os.environ, **given, **more},
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@cache
def photo(side: int) -> bytes:
    return file(image(size=(side, side)))


def uploaded(
    settings: Settings, ledger: Ledger, store: ObjectStore, *, hint: bool = True, side: int = 32
) -> Item:
    data = photo(side)
    item_id, digest = new_id(), hashlib.sha256(data).hexdigest()
    store.put(original_key("alice", item_id), data)
    facts = source(sha256=digest, size=len(data), width=side, height=side)
    item = ledger.items.add(item_id, "alice", options(surrogate="tiny"), facts, "sem/tiny/32")
    if hint:
        assert open_wake_up_sender(settings).send(item_id)
    return item


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def ended(ledger: Ledger, item: Item) -> Item:
    until(lambda: ledger.items.get("alice", item.id).state in FINAL_STATES)
    return ledger.items.get("alice", item.id)


def test_without_a_broker_it_looks_at_the_ledger_by_itself(
    settings: Settings, ledger: Ledger, store: ObjectStore
) -> None:
    alone = settings.model_copy(update={"redis_url": "redis+socket:///nowhere/redis.sock"})
    item = uploaded(alone, ledger, store, hint=False)
    with working(alone, PHOTOWARD_QUEUE_STALL_SECONDS="2"):
        deadline = time.monotonic() + 2 * START_S
        while ledger.items.get("alice", item.id).state is not State.DONE:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert ledger.workers.since_heartbeat() is not None


def test_a_hint_is_acted_on_and_a_worker_leaves_when_asked(
    settings: Settings, ledger: Ledger, store: ObjectStore
) -> None:
    with working(settings) as process:
        first = ended(ledger, uploaded(settings, ledger, store))
        assert first.state is State.DONE
        began = time.monotonic()
        second = ended(ledger, uploaded(settings, ledger, store))
        assert time.monotonic() - began < 10, "the surrogate stays loaded, a hint is taken at once"
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) >= 2
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert not psutil.wait_procs(family, timeout=5)[1]
    assert first.output == second.output
    lines = (settings.data_dir / "worker.log").read_text().splitlines()
    celerys_own = {"", "worker: Warm shutdown (MainProcess)"}  # written past all logging
    events = [json.loads(line)["event"] for line in lines if line not in celerys_own]
    assert "worker_ready" in events
    assert {key for key, _ in store.keys("")} == {
        output_key("alice", item.id) for item in (first, second)
    }


def test_what_was_queued_without_a_hint_is_found_at_the_start(
    settings: Settings, ledger: Ledger, store: ObjectStore
) -> None:
    item = uploaded(settings, ledger, store, hint=False)
    with working(settings):
        assert ended(ledger, item).state is State.DONE


def test_a_worker_without_its_surrogate_ends_instead_of_idling(
    settings: Settings, ledger: Ledger, store: ObjectStore
) -> None:
    item = uploaded(settings, ledger, store)
    with working(settings, PHOTOWARD_ENGINE_SURROGATE="gone") as process:
        process.wait(START_S)
    assert ledger.items.get("alice", item.id).state is State.QUEUED
    assert "surrogate gone is not installed" in (settings.data_dir / "worker.log").read_text()


def test_a_method_that_hangs_costs_its_process_and_no_photo(
    settings: Settings, ledger: Ledger, store: ObjectStore, tmp_path: Path
) -> None:
    (tmp_path / HANGING).touch()
    item = uploaded(settings, ledger, store)
    with working(
        settings, PHOTOWARD_FAILPOINTS=str(tmp_path), PHOTOWARD_WORKER_BATCH_TIMEOUT_SECONDS="10"
    ) as process:
        until(lambda: not (tmp_path / HANGING).exists())
        found = ended(ledger, item)
        assert (found.state, found.attempts) == (State.DONE, 2), "the next pool process does it"
        assert process.poll() is None, "its parent stays"
    assert '"batch_hung"' in (settings.data_dir / "worker.log").read_text()


def test_a_worker_that_hangs_leaves_when_asked_and_gives_back(
    settings: Settings, ledger: Ledger, store: ObjectStore, tmp_path: Path
) -> None:
    (tmp_path / HANGING).touch()
    with working(settings, PHOTOWARD_FAILPOINTS=str(tmp_path)) as process:
        item = uploaded(settings, ledger, store)
        until(lambda: not (tmp_path / HANGING).exists())
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(LEAVE_S + 9)  # who asked waits for 40 s
        assert time.monotonic() - began > LEAVE_S / 2, "a batch has time to end"
    found = ledger.items.get("alice", item.id)
    assert (found.state, found.attempts) == (State.QUEUED, 0)


def test_a_worker_that_leaves_ends_its_batch_and_keeps_nothing_back(
    settings: Settings, ledger: Ledger, store: ObjectStore
) -> None:
    count = 80
    for _ in range(count):
        uploaded(settings, ledger, store, hint=False, side=1500)
    with working(
        settings, PHOTOWARD_WORKER_MAX_BATCH_ITEMS="2", PHOTOWARD_IMAGING_PROCESSES="1"
    ) as process:
        deadline = time.monotonic() + START_S
        while not ledger.items.count_by_state().get(State.DONE):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0
    depth = ledger.items.count_by_state()
    left = depth.get(State.QUEUED, 0)
    assert left, "it was asked to leave long before the end"
    assert depth == {State.DONE: count - left, State.QUEUED: left}
    (found,) = ledger.items.claim(limit=1, max_megapixels=1, lease=timedelta(hours=1))
    assert found.attempts == 1, "what was given back has lost no attempt"
