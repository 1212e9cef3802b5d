"""A worker's two slots, over a real ledger and a stand-in for the batches' work."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from photoward.core.errors import Unavailable
from photoward.core.jobs import State
from photoward.worker import lifecycle
from photoward.worker.batch_sizer import BatchSizer
from photoward.worker.heartbeat import Heartbeat
from photoward.worker.lifecycle import Worker, imaging_children
from photoward.worker.watchdog import Watchdog
from tests.support.samples import added, result

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from photoward.core.jobs import Item
    from photoward.core.ledger import Ledger
    from photoward.core.settings import Settings


class Recorded:
    """Wake-ups that were given."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def send(self, item_id: str) -> bool:
        self.given.append(item_id)
        return True


class Batches:
    """Ends what it gets, notes which batches were under way together, and may break."""

    def __init__(
        self, ledger: Ledger, meanwhile: Callable[[], object] = lambda: None, *, light: bool = False
    ) -> None:
        self.ledger = ledger
        self.meanwhile = meanwhile
        self.light = light
        self.sizer = BatchSizer(2.0, 128)
        self.wake_ups = Recorded()
        self.lock = threading.Lock()
        self.under_way: list[int] = []
        self.together: list[tuple[int, ...]] = []

    def work_off(self, items: Sequence[Item], encoded: Callable[[], None]) -> int:
        with self.lock:
            self.under_way.append(len(items))
            self.together.append(tuple(self.under_way))
        try:
            if self.light:
                encoded()
            self.meanwhile()
            done = self.ledger.items.complete(
                items[0].lease_token or "", [result(item.id) for item in items]
            )
            return len(done)
        finally:
            with self.lock:
                self.under_way.remove(len(items))


def worker(settings: Settings, ledger: Ledger, batches: Batches, **more: object) -> Worker:
    parts: Any = {
        "pipeline": None,
        "pool": None,
        "reconciler": None,
        "webhook_dispatcher": None,
        "heartbeat": Heartbeat(None),
        "watchdog": Watchdog(ledger, 60),
        "wake_ups": batches.wake_ups,
        "batches": batches,
    }
    made = Worker(settings=settings.model_copy(update=more), ledger=ledger, **parts)
    batches.sizer = BatchSizer(
        made.settings.worker_target_batch_seconds, made.settings.worker_max_batch_items
    )
    return made


def test_everything_is_worked_off_in_two_lanes(settings: Settings, ledger: Ledger) -> None:
    for _ in range(11):
        added(ledger, width=100, height=100)
    # Each slot waits for the other once: so both must be under way at the same time.
    both = threading.Barrier(2, timeout=10)
    met: list[int] = []

    def meet() -> None:
        if len(met) < 2:
            met.append(1)
            both.wait()

    batches = Batches(ledger, meet)
    worker(settings, ledger, batches, worker_max_batch_items=2).work(60)
    assert ledger.items.count_by_state() == {State.DONE: 11}
    assert max(map(len, batches.together)) == 2


def test_what_comes_while_one_lane_is_at_work_is_the_others(
    settings: Settings, ledger: Ledger
) -> None:
    added(ledger, width=10, height=10)
    both = threading.Barrier(2, timeout=10)
    came: list[str] = []

    def more() -> None:
        if not came:
            came.append(added(ledger, width=10, height=10).id)
        both.wait()

    worker(settings, ledger, Batches(ledger, more)).work(60)
    assert ledger.items.count_by_state() == {State.DONE: 2}


def test_heavy_batches_travel_alone(settings: Settings, ledger: Ledger) -> None:
    for _ in range(6):
        added(ledger)  # one megapixel each
    batches = Batches(ledger, lambda: time.sleep(0.05))
    made = worker(
        settings, ledger, batches, worker_max_batch_items=2, worker_max_batch_megapixels=10
    )
    made.work(60)
    assert set(batches.together) == {(2,)}
    assert ledger.items.count_by_state() == {State.DONE: 6}


def test_a_heavy_batch_is_light_once_it_is_encoded(settings: Settings, ledger: Ledger) -> None:
    for _ in range(4):
        added(ledger)  # one megapixel each
    both = threading.Barrier(2, timeout=10)
    batches = Batches(ledger, both.wait, light=True)
    made = worker(
        settings, ledger, batches, worker_max_batch_items=2, worker_max_batch_megapixels=10
    )
    made.work(60)
    assert ledger.items.count_by_state() == {State.DONE: 4}


def test_an_empty_queue_costs_nothing(settings: Settings, ledger: Ledger) -> None:
    worker(settings, ledger, Batches(ledger)).work(60)


def test_what_a_worker_leaves_it_passes_on_at_once_and_only_once(
    settings: Settings, ledger: Ledger
) -> None:
    """So one hint wakes all who are idle, and the broker's list does not grow with the work."""
    for _ in range(12):
        added(ledger, width=10, height=10)
    when: list[int] = []
    batches = Batches(ledger, lambda: when.append(len(batches.wake_ups.given)))
    worker(settings, ledger, batches, worker_max_batch_items=2).work(60)
    assert when[0] == 1, "while its first batch is at work"
    assert len(batches.wake_ups.given) == 1


def test_who_leaves_nothing_wakes_nobody(settings: Settings, ledger: Ledger) -> None:
    added(ledger)
    batches = Batches(ledger)
    worker(settings, ledger, batches).work(60)
    assert batches.wake_ups.given == []


def test_who_is_asked_to_leave_gives_back_what_is_under_way(
    settings: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = added(ledger)
    begun, over = threading.Event(), threading.Event()

    def long() -> None:
        begun.set()
        over.wait()

    made = worker(settings, ledger, Batches(ledger, long))

    class Asked(ThreadPoolExecutor):
        def __exit__(self, *_: object) -> None:
            """As when SIGTERM comes while the main thread waits for the slots."""
            begun.wait()
            raise SystemExit

    monkeypatch.setattr(lifecycle, "ThreadPoolExecutor", Asked)
    with pytest.raises(SystemExit):
        made.work(60)
    left = ledger.items.get("alice", item.id)
    over.set()
    assert (left.state, left.attempts) == (State.QUEUED, 0)


def test_a_spent_budget_is_told(settings: Settings, ledger: Ledger) -> None:
    for _ in range(8):
        added(ledger, width=10, height=10)
    batches = Batches(ledger, lambda: time.sleep(0.4))
    made = worker(settings, ledger, batches, worker_max_batch_items=1)
    made.work(0.3)
    assert len(batches.wake_ups.given) == 1
    assert 1 <= ledger.items.count_by_state()[State.DONE] <= lifecycle.CONCURRENT_GROUPS
    made.work(60)
    assert ledger.items.count_by_state() == {State.DONE: 8}


@pytest.mark.parametrize("error", [Unavailable("The store is away."), KeyError("a bug")])
def test_an_error_of_a_lane_shows_and_leaves_no_weight_behind(
    settings: Settings, ledger: Ledger, error: Exception
) -> None:
    def fail() -> None:
        raise error

    for _ in range(3):
        added(ledger)
    made = worker(
        settings,
        ledger,
        Batches(ledger, fail),
        worker_max_batch_items=1,
        worker_max_batch_megapixels=1,
    )
    with pytest.raises(type(error)):
        made.work(60)
    added(ledger)
    made.batches = Batches(ledger)  # type: ignore[assignment]  # all that is used of one
    made.work(5)
    assert ledger.items.count_by_state()[State.DONE] >= 1


def test_decoders_are_counted(settings: Settings) -> None:
    assert imaging_children(settings) == 1
    assert 1 <= imaging_children(settings.model_copy(update={"imaging_processes": 0})) <= 4
