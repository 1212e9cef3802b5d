"""Claims: how much is taken at once, and how it is kept while somebody works on it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from photoward.core.errors import Unavailable
from photoward.core.jobs import Stage, State
from photoward.core.settings import Settings
from photoward.worker.batch_sizer import BatchSizer
from photoward.worker.claim import claim, held
from tests.support.samples import added

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

    from photoward.core.ledger import Ledger

LEASE_S = 1.0


def taken(ledger: Ledger, folder: Path, **more: object) -> list[str]:
    settings = Settings(data_dir=folder, **{"queue_lease_seconds": LEASE_S, **more})  # type: ignore[arg-type]  # by name
    sizer = BatchSizer(settings.worker_target_batch_seconds, settings.worker_max_batch_items)
    return [item.lease_token or "" for item in claim(ledger, settings, sizer)]


def test_a_claim_takes_what_the_settings_allow(ledger: Ledger, tmp_path: Path) -> None:
    for _ in range(9):
        added(ledger)
    assert len(taken(ledger, tmp_path, worker_max_batch_items=2)) == 2
    assert len(taken(ledger, tmp_path, worker_max_batch_megapixels=3)) == 3
    assert len(taken(ledger, tmp_path)) == 4
    assert taken(ledger, tmp_path) == []


def test_a_claim_takes_what_its_kind_has_shown_to_be_quick(
    ledger: Ledger, settings: Settings
) -> None:
    sizer = BatchSizer(2.0, 128)
    sizer.record("slow", 8, 16.0)
    sizer.record("quick", 8, 0.1)
    for kind in 20 * ["new"] + 20 * ["slow"] + 20 * ["quick"]:
        added(ledger, group_key=kind, width=10, height=10)
    took = [
        (found[0].group_key, len(found))
        for _ in range(25)
        if (found := claim(ledger, settings, sizer))
    ]
    assert took == [
        ("new", 8),
        ("new", 8),
        ("new", 4),
        *[("slow", 1)] * 20,
        ("quick", 16),
        ("quick", 4),
    ]


def test_a_claim_is_kept_for_as_long_as_it_is_worked_on(ledger: Ledger, tmp_path: Path) -> None:
    item = added(ledger)
    (token,) = taken(ledger, tmp_path)
    with held(ledger, token, LEASE_S) as tell:
        tell(Stage.PERTURB)
        until = time.monotonic() + 1.7 * LEASE_S
        while time.monotonic() < until:
            assert ledger.items.expire_leases() == 0
            time.sleep(LEASE_S / 10)
        assert ledger.items.get("alice", item.id).stage is Stage.PERTURB
    time.sleep(1.1 * LEASE_S)
    assert ledger.items.expire_leases() == 1
    assert ledger.items.get("alice", item.id).state is State.QUEUED


class Away:
    """A ledger that nobody can reach for a while."""

    def __init__(self) -> None:
        self.calls = 0
        self.up = threading.Event()
        self.items = self

    def renew_lease(self, _token: str, _lease: timedelta, stage: Stage | None = None) -> int:
        del stage
        self.calls += 1
        if not self.up.is_set():
            raise Unavailable("The ledger is away.")
        return 1


def test_a_ledger_that_is_away_is_asked_again() -> None:
    ledger = Away()
    with held(ledger, "token", 0.06) as tell:  # type: ignore[arg-type]  # all that is used of one
        tell(Stage.DECODE)
        until = time.monotonic() + 5
        while ledger.calls < 4 and time.monotonic() < until:
            time.sleep(0.01)
    assert ledger.calls >= 4


def test_nothing_is_renewed_after_the_end(ledger: Ledger, tmp_path: Path) -> None:
    added(ledger)
    (token,) = taken(ledger, tmp_path)
    with pytest.raises(ZeroDivisionError), held(ledger, token, LEASE_S):
        raise ZeroDivisionError
    assert not [thread for thread in threading.enumerate() if thread.name == "lease"]
