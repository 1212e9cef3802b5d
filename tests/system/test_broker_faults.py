"""Redis dies and loses everything; nobody outside may lose anything by it."""

from __future__ import annotations

import shutil
import time

import pytest

from photoward.core.settings import Settings
from tests.support.audit import audit
from tests.support.faults import Sender, free_of_cost, states, until
from tests.support.findings import note
from tests.support.plant import own_broker
from tests.support.scale import FULL, scaled
from tests.support.stack import fresh_stack

AWAY_S = 2.0
RESUMED_S, DONE_S = 30, 120


def test_redis_is_killed_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    kills, slowest = scaled(2, 10), 0.0
    uploads = free_of_cost(50)
    with own_broker(monkeypatch) as broker, fresh_stack() as service:
        settings = Settings(data_dir=service.folder)
        sender, others = Sender(service, uploads), list[str]()
        with sender.sending():
            for _ in range(kills):
                sent = len(sender.ids)
                until(lambda sent=sent: len(sender.ids) > sent + 5)  # type: ignore[misc]  # bound default
                broker.server.kill()
                time.sleep(AWAY_S)  # how long it is away
                broker.server.start()
                began = time.monotonic()
                # What was handed in meanwhile, and what comes now.
                others += service.upload(uploads[:1])
                items = service.ended([*sender.ids[sent:], others[-1]], 120)
                assert states(items) == {"succeeded"}
                slowest = max(slowest, time.monotonic() - began)
        items = service.ended(sender.ids, 60)
        lost = sum(item["state"] != "succeeded" for item in items)
        note(
            f"Redis killed ×{kills}", "0 lost, resumed ≤ 30 s, submits 202 or 503",
            f"{lost} of {len(items)} lost, {slowest:.1f} s at most, answers "
            f"{sorted(sender.statuses)}", f"default, {AWAY_S:g} s away each time",
        )  # fmt: skip
        assert not lost
        assert slowest <= RESUMED_S
        assert sender.statuses <= {202, 503}
        audit(service, settings, [*sender.ids, *others])


@pytest.mark.chaos
def test_redis_is_wiped_with_a_thousand_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their wake-ups are lost, and the worker sits and waits for one: only the ledger knows."""
    count = scaled(100, 1000)
    every = {} if FULL else {"PHOTOWARD_WORKER_RECONCILE_INTERVAL_SECONDS": "3"}
    with own_broker(monkeypatch) as broker, fresh_stack(**every) as service:
        broker.server.kill()
        ids = service.upload(free_of_cost(count))
        shutil.rmtree(broker.folder / "appendonlydir")
        broker.server.start()
        began = time.monotonic()
        items = service.ended(ids, DONE_S)
        took = time.monotonic() - began
        note(
            f"Redis wiped with {count} queued", f"all done ≤ {DONE_S} s",
            f"{sum(item['state'] == 'succeeded' for item in items)} done in {took:.0f} s",
            "default" if FULL else "reconciling every 3 s",
        )  # fmt: skip
        assert states(items) == {"succeeded"}
        audit(service, Settings(data_dir=service.folder), ids)
