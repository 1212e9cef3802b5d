"""Receivers that never end their answers: others are told in time, and a worker leaves in time."""

from __future__ import annotations

import signal
import time

from photoward.core.settings import Settings
from tests.support.audit import audit
from tests.support.faults import free_of_cost, states, until
from tests.support.findings import note
from tests.support.receiver import counting, dripping
from tests.support.scale import scaled
from tests.support.stack import fresh_stack
from tests.system.test_crash_points import subscribe

TOLD_S = 5.0
"""From a photo's end to its message, at most; one that waited for a slow answer took a minute."""
LEAVING_S = 10.0


def test_a_receiver_that_is_slow() -> None:
    count = scaled(40, 400)
    with (
        counting() as (good, told), dripping() as (slow, callers),
        fresh_stack(PHOTOWARD_WEBHOOK_ALLOW_PRIVATE="1") as service,
    ):  # fmt: skip
        subscribe(service, slow)
        subscribe(service, good)
        ids = service.upload(free_of_cost(count))
        assert states(service.ended(ids, 120)) == {"succeeded"}
        late_s = until(lambda: told.keys() == set(ids), 60, "messages are missing")
        assert callers
        worker = service.part("worker")
        began = time.monotonic()
        worker.send_signal(signal.SIGTERM)
        until(lambda: not worker.is_running(), 60)
        leaving_s = time.monotonic() - began
        note(
            "a webhook's receiver that never ends its answers",
            f"others told within {TOLD_S:.0f} s, a worker leaves within {LEAVING_S:.0f} s",
            f"{count} of {count} told, the last {late_s:.1f} s after the last photo; left in "
            f"{leaving_s:.1f} s",
        )  # fmt: skip
        assert late_s <= TOLD_S
        assert leaving_s <= LEAVING_S
        audit(service, Settings(data_dir=service.folder), ids)
