"""The store goes away, and the disk fills up: nothing is lost, and no sender is blamed."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from photoward.api.cli.client import Client
from photoward.core.jobs import State
from photoward.core.ledger import open_ledger
from photoward.core.settings import Settings
from tests.support.audit import audit
from tests.support.faults import Sender, free_of_cost, states, until
from tests.support.findings import note
from tests.support.plant import plant
from tests.support.samples import noisy_png
from tests.support.scale import FULL, scaled
from tests.support.servers import short_folder
from tests.support.stack import Upload, stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DRAINED_S = 120
DISK_MIB = 40
KEPT = 10
"""Photos for whose results there is room, too."""


def test_the_object_store_is_dead_for_a_while(
    monkeypatch: pytest.MonkeyPatch, postgres_url: str
) -> None:
    count, dead_s = scaled(60, 300), scaled(5, 60)
    every = {} if FULL else {"PHOTOWARD_WORKER_RECONCILE_INTERVAL_SECONDS": "3"}
    uploads = free_of_cost(count)
    with plant(monkeypatch, postgres_url, **every) as made:
        ids = made.service.upload(uploads)
        made.store.kill()
        ledger = open_ledger(made.settings)
        waiting = count - ledger.items.count_by_state().get(State.DONE, 0)
        ledger.close()
        sender = Sender(made.service, uploads)
        with sender.sending():
            time.sleep(dead_s)  # how long it is away
        made.store.start()
        began = time.monotonic()
        items = made.service.ended([*ids, *sender.ids], 2 * DRAINED_S)
        took = time.monotonic() - began
        note(
            f"object store dead for {dead_s} s", f"drained ≤ {DRAINED_S} s afterwards",
            f"{waiting} of {count} had to wait, drained in {took:.0f} s; answers meanwhile "
            f"{sorted(sender.statuses)}",
            "PostgreSQL, S3" if FULL else "PostgreSQL, S3, reconciling every 3 s",
        )  # fmt: skip
        assert waiting
        assert states(items) == {"succeeded"}
        assert took <= DRAINED_S
        assert sender.statuses <= {202, 503}
        assert 503 in sender.statuses
        audit(made.service, made.settings, [*ids, *sender.ids])


@contextmanager
def small_disk() -> Iterator[Path]:
    """A file system with room for little."""
    with short_folder() as folder:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(folder)]
        if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
            pytest.skip("a small disk can be mounted by root only")
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_the_disk_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything lies on it, also what is on its way."""
    big = [Upload(noisy_png(number, 400), label="cat", method="cuda") for number in range(60)]
    with small_disk() as disk:
        monkeypatch.setenv("TMPDIR", str(disk))
        with stack(disk / "data", PHOTOWARD_WORKER_RECONCILE_INTERVAL_SECONDS="1") as service:
            sender = Sender(service, big, pace_s=0.01)
            with sender.sending():
                until(lambda: 507 in sender.statuses, 120, "it hangs")
                time.sleep(1)  # some more while it is full
            full = sum(status == 507 for status in sender.answers)
            with Client(service.url) as client:
                for item_id in sender.ids[KEPT:]:
                    client.delete(item_id)
            kept = sender.ids[:KEPT]
            items = service.ended([*kept, *service.upload(big[:1], patient=True)], 60)
            note(
                "disk full", "507 or 503, never 400 or 500",
                f"answers {sorted(sender.statuses)}, {full} × 507; with room again all done",
                f"a disk of {DISK_MIB} MiB",
            )  # fmt: skip
            assert sender.statuses <= {202, 503, 507}
            assert states(items) == {"succeeded"}
            audit(service, Settings(data_dir=service.folder), [item["id"] for item in items])
