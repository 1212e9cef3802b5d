"""Workers that are killed while they work, while they wait, and by what they work on."""

from __future__ import annotations

import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

from photoward.api.cli.service.process import STABLE_S
from photoward.core.failpoints import HANGING
from photoward.core.jobs import FINAL_STATES, MAX_ATTEMPTS, State
from photoward.core.ledger import open_ledger
from photoward.core.queue import QUEUE
from photoward.core.settings import Settings
from tests.support.audit import TENANT, audit
from tests.support.faults import (
    HASTY,
    SWEEPING,
    broker,
    extra_runs,
    free_of_cost,
    known_ids,
    states,
    swept,
    until,
)
from tests.support.findings import note
from tests.support.scale import FULL, scaled
from tests.support.stack import Stack, fresh_stack

if TYPE_CHECKING:
    from pathlib import Path

    import redis

    from photoward.core.ledger import Ledger

LIFE_S = 3
WHOLE = 5
"""Of so many kills one hits the worker's parent, too, which is restarted ever more slowly."""

RECOVERED_S = 60
OLD_S = scaled(0, round(STABLE_S) + 1)
"""Age at which a worker that ends is replaced at once, as one that has lived for days."""

UNFINISHED = set(State) - FINAL_STATES


def test_workers_are_killed_every_three_seconds() -> None:
    """A run is a photo's here: batches of one."""
    count = scaled(300, 2000)
    lease = SWEEPING if FULL else HASTY
    with fresh_stack(PHOTOWARD_WORKER_MAX_BATCH_ITEMS="1", **lease) as service:
        settings = Settings(data_dir=service.folder)
        ledger = open_ledger(settings)
        with ThreadPoolExecutor(1) as threads:
            sending = threads.submit(service.upload, free_of_cost(count), patient=True)
            kills = killed_again_and_again(service, ledger, sending.done)
            ids = sending.result()
        items = service.ended(ids, 300)
        ledger.close()
        lost = sum(item["state"] != "succeeded" for item in items)
        extra = extra_runs(settings)
        note(
            f"worker SIGKILL every {LIFE_S} s over {count} items",
            "0 lost, ≤ 2 extra runs a kill",
            f"{lost} lost, {kills} kills, {extra / kills:.2f} extra runs a kill",
            "PHOTOWARD_WORKER_MAX_BATCH_ITEMS=1"
            if FULL
            else "PHOTOWARD_WORKER_MAX_BATCH_ITEMS=1, a short lease",
        )
        assert not lost
        assert kills >= scaled(1, 10)
        assert extra <= 2 * kills
        swept(settings, count)
        audit(service, settings, ids)


def killed_again_and_again(service: Stack, ledger: Ledger, sent: Any) -> int:  # noqa: ANN401  # asks
    """Kill a worker that has been at work for a while, until there is no more work; how often."""
    kills = 0
    while True:
        before = done(ledger)
        until(lambda was=before: done(ledger) > was or (sent() and not unfinished(ledger)), 180)  # type: ignore[misc]  # bound default
        if sent() and not unfinished(ledger):
            return kills
        time.sleep(LIFE_S)  # its life is what is measured
        if unfinished(ledger):
            kills += 1
            whole = kills % WHOLE == 0
            process = service.part("worker") if whole else service.pool_process()
            service.kill(process)
            until(lambda gone=process: not gone.is_running())  # type: ignore[misc]  # bound default
            until(lambda: bool(service.pool_process()))


def done(ledger: Ledger) -> int:
    """How many photos are."""
    return ledger.items.count_by_state().get(State.DONE, 0)


def unfinished(ledger: Ledger) -> int:
    """How many photos have not ended."""
    depth = ledger.items.count_by_state()
    return sum(depth.get(state, 0) for state in UNFINISHED)


def test_a_worker_that_is_stopped_while_it_waits_and_then_killed() -> None:
    """What a stopped client has been given is lost with it, whatever the broker promises."""
    wanted, workers = scaled(2, 20), 2
    trials, slowest = 0, 0.0
    chance = random.Random(1)
    ids: list[str] = []
    with fresh_stack(workers) as service:
        settings = Settings(data_dir=service.folder)
        with closing(broker(settings)) as client:
            while trials < wanted:
                stopped = waiting_workers(service, client, workers)
                time.sleep(chance.random() / 10)  # anywhere in its wait
                for worker in stopped:
                    worker.send_signal(signal.SIGSTOP)
                fresh, swallowed = sent_to_nobody(service, client, workers)
                began = time.monotonic()
                for worker in stopped:
                    service.kill(worker)
                assert states(service.ended(fresh, RECOVERED_S)) == {"succeeded"}
                ids += fresh
                trials += swallowed
                if swallowed:
                    slowest = max(slowest, time.monotonic() - began)
        note(
            f"stopped in BRPOP, then killed, ×{wanted}", f"0 lost, recovered ≤ {RECOVERED_S} s",
            f"0 of {trials} lost, {slowest:.1f} s at most",
            f"default, {workers} workers",
        )  # fmt: skip
        audit(service, settings, ids)


def waiting_workers(service: Stack, client: redis.Redis, count: int) -> list[Any]:
    """All workers, once each of them waits for a message."""
    until(lambda: info(client, "clients")["blocked_clients"] >= count, 120, "nobody waits")
    workers = service.parts("worker", count)
    youngest = max(worker.create_time() for worker in workers)
    until(lambda: time.time() - youngest > OLD_S, 2 * OLD_S + 1)
    return workers


def sent_to_nobody(service: Stack, client: redis.Redis, count: int) -> tuple[list[str], int]:
    """Upload some photos, each with a hint of its own; how many wake-ups the stopped have got."""
    pushed = pushes(client)
    ids = []
    for number, upload in enumerate(free_of_cost(count), 1):
        ids += service.upload([upload])
        until(lambda at=pushed + number: pushes(client) >= at)  # type: ignore[misc]  # bound default
    left: Any = client.llen(QUEUE)
    client.delete(QUEUE)  # what was not swallowed must not wake anybody, either
    return ids, count - int(left)


def pushes(client: redis.Redis) -> int:
    """How many messages the broker has ever been given."""
    return int(info(client, "commandstats").get("cmdstat_lpush", {"calls": 0})["calls"])


def info(client: redis.Redis, section: str) -> dict[str, Any]:
    told: Any = client.info(section)
    return dict(told)


def test_a_method_that_hangs(tmp_path: Path) -> None:
    """Its process ends, whatever hangs in it, and what was beside it is done by the next."""
    limit_s, rounds, slowest = 3, scaled(1, 5), 0.0
    limits = {
        "PHOTOWARD_FAILPOINTS": str(tmp_path),
        "PHOTOWARD_WORKER_BATCH_TIMEOUT_SECONDS": str(limit_s),
    }
    with fresh_stack(**limits, **HASTY) as service:
        settings = Settings(data_dir=service.folder)
        for _ in range(rounds):
            before = service.pool_process()
            (tmp_path / HANGING).touch()
            began = time.monotonic()
            ids = service.upload(free_of_cost(20))
            assert states(service.ended(ids, 120)) == {"succeeded"}
            slowest = max(slowest, time.monotonic() - began)
            assert not before.is_running()
        extra = extra_runs(settings)
        everyone = known_ids(settings)
        note(
            f"a method that hangs, ×{rounds}", "its process ends, 0 lost, ≤ 20 extra runs each",
            f"0 of {len(everyone)} lost, {extra} extra runs, all done within {slowest:.0f} s",
            f"a batch may take {limit_s} s, a short lease",
        )  # fmt: skip
        assert extra <= rounds * 20
        audit(service, settings, everyone)


def test_what_kills_every_worker_ends_after_three_attempts(tmp_path: Path) -> None:
    with fresh_stack(PHOTOWARD_FAILPOINTS=str(tmp_path), **HASTY) as service:
        settings = Settings(data_dir=service.folder)
        poison = service.upload(free_of_cost(1))
        for _ in range(MAX_ATTEMPTS):
            (tmp_path / "fetched").touch()
            until(lambda: not (tmp_path / "fetched").exists())
        (item,) = service.ended(poison, 60)
        others = service.upload(free_of_cost(2))
        assert states(service.ended(others, 60)) == {"succeeded"}
        ledger = open_ledger(settings)
        attempts = ledger.items.get(TENANT, poison[0]).attempts
        ledger.close()
        note(
            "an item that kills every worker", "ends after 3 attempts",
            f"{item['error']['code']} after {attempts}", "a short lease",
        )  # fmt: skip
        assert (item["error"]["code"], attempts) == ("worker_lost", MAX_ATTEMPTS)
        audit(service, settings, known_ids(settings))
