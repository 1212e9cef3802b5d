"""Whether anybody works, over both ledgers."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from photoward.core.ledger import workers

if TYPE_CHECKING:
    import pytest

    from photoward.core.ledger import Ledger

SOON = timedelta(seconds=30)


def test_the_last_that_was_heard_of_is_known(ledger: Ledger) -> None:
    assert ledger.workers.since_heartbeat() is None
    ledger.workers.record_heartbeat("one")
    ledger.workers.record_heartbeat("one")
    time.sleep(0.2)
    silence = ledger.workers.since_heartbeat()
    assert silence is not None
    assert timedelta(seconds=0.1) < silence < SOON
    ledger.workers.record_heartbeat("two")
    newer = ledger.workers.since_heartbeat()
    assert newer is not None
    assert newer < silence
    ledger.workers.remove("two")
    assert (ledger.workers.since_heartbeat() or SOON) > silence, "the other one is still there"
    ledger.workers.remove("one")
    assert ledger.workers.since_heartbeat() is None


def test_who_never_took_leave_is_forgotten(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.workers.record_heartbeat("lost")
    monkeypatch.setattr(workers, "FORGOTTEN", timedelta(0))
    ledger.workers.record_heartbeat("one")
    ledger.workers.remove("one")
    assert ledger.workers.since_heartbeat() is None
