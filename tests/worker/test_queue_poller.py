"""Who works when nobody is told that there is work."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from photoward.core.errors import Unavailable
from photoward.core.jobs import State
from photoward.worker.queue_poller import QueuePoller
from tests.support.samples import added, claimed, result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from photoward.core.ledger import Ledger


class Worker:
    """Works off one photo a call."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.calls = 0
        self.error: Exception | None = None

    def work(self, _budget_s: float) -> None:
        self.calls += 1
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        token, items = claimed(self.ledger, limit=1)
        self.ledger.items.complete(token, [result(item.id) for item in items])


@pytest.fixture
def worker(ledger: Ledger) -> Iterator[Worker]:
    made = Worker(ledger)
    poller = QueuePoller(ledger, made.work, stall_s=1, every_s=0.02)
    poller.start()
    yield made
    poller.stop()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_nobody_is_told_of_is_worked_off_after_a_while(ledger: Ledger, worker: Worker) -> None:
    began = time.monotonic()
    for _ in range(3):
        added(ledger)
    until(lambda: ledger.items.count_by_state() == {State.DONE: 3})
    assert time.monotonic() - began >= 1
    assert worker.calls == 3, "without waiting again"


def test_where_others_get_on_it_leaves_the_work_to_them(ledger: Ledger, worker: Worker) -> None:
    added(ledger)
    began = time.monotonic()
    while time.monotonic() - began < 2:
        added(ledger)
        time.sleep(0.05)
        token, items = claimed(ledger, limit=1)
        ledger.items.complete(token, [result(item.id) for item in items])
    assert worker.calls == 0
    assert ledger.items.count_by_state()[State.QUEUED] == 1


def test_a_ledger_that_was_away_does_not_end_it(ledger: Ledger, worker: Worker) -> None:
    worker.error = Unavailable("The store is away.")
    added(ledger)
    until(lambda: ledger.items.count_by_state() == {State.DONE: 1})
    assert worker.calls == 2
