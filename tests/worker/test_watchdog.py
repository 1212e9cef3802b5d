"""A process whose batch hangs gives everything back and ends."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from photoward.core.jobs import MAX_ATTEMPTS, State
from photoward.worker.watchdog import Watchdog
from tests.support.samples import added, claimed

if TYPE_CHECKING:
    from photoward.core.ledger import Ledger


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set when the process would have ended; the thread that ends it stands still then."""
    ended = threading.Event()

    def leave(status: int) -> None:
        assert status != 0
        ended.set()
        threading.Event().wait()

    monkeypatch.setattr(os, "_exit", leave)
    return ended


def test_a_batch_that_ends_in_time_is_left_alone(ledger: Ledger, left: threading.Event) -> None:
    made = Watchdog(ledger, 1.0)
    made.start()
    added(ledger)
    for _ in range(3):
        token, _ = claimed(ledger)
        with made.watch(token):
            assert not left.wait(0.4), "each has its own time"
        ledger.items.release(token)
    assert not left.wait(1.2)
    made.stop()


def test_what_hung_keeps_its_attempt_and_what_was_beside_it_loses_none(
    ledger: Ledger, left: threading.Event
) -> None:
    hung, beside = added(ledger), added(ledger)
    made = Watchdog(ledger, 0.6)
    made.start()
    first, _ = claimed(ledger, limit=1)
    with made.watch(first):
        left.wait(0.3)
        second, _ = claimed(ledger, limit=1)
        with made.watch(second):
            assert left.wait(10)
    found = [ledger.items.get("alice", item.id) for item in (hung, beside)]
    assert [one.state for one in found] == [State.QUEUED] * 2
    assert [one.attempts for one in found] == [1, 0]


def test_what_always_hangs_fails_at_last(ledger: Ledger, left: threading.Event) -> None:
    item = added(ledger)
    for _ in range(MAX_ATTEMPTS):
        assert ledger.items.get("alice", item.id).state is State.QUEUED
        made = Watchdog(ledger, 0.05)
        made.start()
        with made.watch(claimed(ledger)[0]):
            assert left.wait(10)
        left.clear()
    found = ledger.items.get("alice", item.id)
    assert (found.state, found.error_code) == (State.FAILED, "worker_lost")
