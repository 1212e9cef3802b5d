"""Whether anybody works, over both ledgers."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from photoward.core.ledger import workers

if TYPE_CHECKING:
    import pytest

    from photoward.core.ports import Ledger

SOON = timedelta(seconds=30)


def test_the_last_that_was_heard_of_is_known(ledger: Ledger) -> None:
    assert ledger.last_beat() is None
    ledger.beat("one")
    ledger.beat("one")
    time.sleep(0.2)
    silence = ledger.last_beat()
    assert silence is not None
    assert timedelta(seconds=0.1) < silence < SOON
    ledger.beat("two")
    newer = ledger.last_beat()
    assert newer is not None
    assert newer < silence
    ledger.leave("two")
    assert (ledger.last_beat() or SOON) > silence, "the other one is still there"
    ledger.leave("one")
    assert ledger.last_beat() is None


def test_who_never_took_leave_is_forgotten(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.beat("lost")
    monkeypatch.setattr(workers, "FORGOTTEN", timedelta(0))
    ledger.beat("one")
    ledger.leave("one")
    assert ledger.last_beat() is None
