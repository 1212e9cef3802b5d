"""Processes die while two hundred pictures are on their way; nobody outside may notice."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from PIL import Image

from photoward.api.cli import sample_images
from photoward.api.cli.client import Client
from photoward.core.jobs import State
from photoward.core.ledger import open_ledger
from photoward.core.object_keys import original_key
from photoward.core.settings import Settings
from photoward.core.storage import open_store
from tests.support.audit import TENANT, audit
from tests.support.faults import known_ids, until
from tests.support.stack import Stack, Upload, fresh_stack

if TYPE_CHECKING:
    from pathlib import Path

    import psutil

    from photoward.core.ledger import Ledger

COUNT = 200
WITHIN_S = 120.0
ORPHAN_AGE_S = 15
"""Also the longest that an upload may take here from the store to its row."""
HASTY = {
    "PHOTOWARD_QUEUE_LEASE_SECONDS": "4",
    "PHOTOWARD_WORKER_RECONCILE_INTERVAL_SECONDS": "1",
    "PHOTOWARD_WORKER_MAX_BATCH_ITEMS": "32",
    "PHOTOWARD_WORKER_SWEEP_INTERVAL_SECONDS": "1",
    "PHOTOWARD_RETENTION_ORPHAN_SECONDS": str(ORPHAN_AGE_S),
}


def uploads() -> list[Upload]:
    tiles = sample_images.small_pictures(COUNT, 11)
    return [
        Upload(sample_images.encoded(Image.fromarray(tile), "PNG"), label=f"class {number % 10}")
        for number, tile in enumerate(tiles)
    ]


def protected(ledger: Ledger, ids: list[str]) -> list[str | None]:
    """The digests of the outputs."""
    outputs = [ledger.items.get(TENANT, item_id).output for item_id in ids]
    return [output.sha256 if output else None for output in outputs]


def crash_everything(service: Stack, ledger: Ledger) -> list[psutil.Process]:
    """One process after the other, each in the middle of its work."""

    def at_work() -> bool:
        depth = ledger.items.count_by_state()
        return bool(depth.get(State.LEASED) and depth.get(State.QUEUED))

    killed = []
    for name in ("pool", "queue", "api", "worker"):
        until(at_work)
        process = service.pool_process() if name == "pool" else service.part(name)
        service.kill(process)
        killed.append(process)
        done = ledger.items.count_by_state().get(State.DONE, 0)
        until(lambda done=done: ledger.items.count_by_state().get(State.DONE, 0) > done)  # type: ignore[misc]  # bound default
    return killed


def test_whatever_dies_two_hundred_uploads_end_done_and_the_same() -> None:
    wanted = uploads()
    with fresh_stack(**HASTY) as service:
        settings = Settings(data_dir=service.folder)
        ledger = open_ledger(settings)
        leave_remains(settings)
        assert service.part("worker").nice() > service.part("api").nice(), "answers go first"
        began = time.monotonic()
        with ThreadPoolExecutor(1) as threads:
            sending = threads.submit(service.upload, wanted, patient=True)
            killed = crash_everything(service, ledger)
            ids = sending.result()
        items = service.ended(ids, WITHIN_S - (time.monotonic() - began))
        assert {item["state"] for item in items} == {"succeeded"}
        assert not [process for process in killed if process.is_running()]
        attempts = [ledger.items.get(TENANT, item_id).attempts for item_id in ids]
        assert max(attempts) > 1, "nothing was hit"

        # A request whose answer a crash cut off may have been accepted: it is worked on all the
        # same, its sender has sent it again, and nothing of it is in the way.
        everyone = known_ids(settings)
        assert set(ids) <= set(everyone)
        again = service.upload(wanted)
        service.ended(again, WITHIN_S)
        assert protected(ledger, ids) == protected(ledger, again)
        service.ended(everyone, WITHIN_S)

        # What crashes left beside the ledger is swept in time.
        outputs = len(everyone) + len(again)
        files = [settings.data_dir / "objects" / kind for kind in ("originals", "outputs")]
        until(lambda: sum(len(_files(folder)) for folder in files) == outputs, ORPHAN_AGE_S + 5)
        audit(service, settings, [*everyone, *again])
        ledger.close()


def leave_remains(settings: Settings) -> None:
    """What an API process leaves that is killed between the store and the ledger, and while it
    writes: the crashes of this test hit that moment only now and then."""
    key = original_key(TENANT, "0" * 32)
    open_store(settings).put(key, b"an upload without a row")
    (settings.data_dir / "objects" / f"{key}#1").write_bytes(b"half an upl")


def _files(folder: Path) -> list[Path]:
    """Everything in it, half-written files too."""
    return [path for path in folder.rglob("*") if path.is_file()]


def test_cancelling_in_the_middle_leaves_nothing() -> None:
    with fresh_stack(**HASTY) as service:
        ids = service.upload(uploads()[:60])
        cancelled = ids[::2]

        def cancel(some: list[str]) -> None:
            with Client(service.url) as client:
                for item_id in some:
                    client.delete(item_id)

        threads = [threading.Thread(target=cancel, args=(cancelled[n::2],)) for n in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        left = ids[1::2]
        assert {item["state"] for item in service.ended(left, 60)} == {"succeeded"}
        audit(service, Settings(data_dir=service.folder), left)
