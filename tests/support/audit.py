"""What must hold of a service at rest, whatever happened to it before."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections import Counter
from typing import TYPE_CHECKING

from photoward.core.jobs import FINAL, Item, State
from photoward.core.keys import tenant_secret
from photoward.core.ledger import open_ledger
from photoward.core.ports import original_key, output_keys
from photoward.core.storage import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import psutil

    from photoward.core.ports import ObjectStore
    from photoward.core.settings import Settings
    from tests.support.stack import Stack

TENANT = "default"
MIB = 2**20
API_MIB, WORKER_MIB = 400, 2048
TIDY_S = 10.0
"""Longest time between an item's end and its original's."""

KNOWN_FILES = re.compile(
    r"master\.secret|up\.lock|redis\.sock|redis\.log|ledger\.sqlite(-wal|-shm)?"
    r"|logs/[a-z0-9-]+\.log(\.\d)?|metrics/[a-z]+_\d+\.db|appendonlydir/appendonly\.aof[a-z0-9.]*"
    rf"|objects/(originals|outputs)/{TENANT}/[0-9a-f]{{32}}(-\d+x\d+)?"
)
"""Everything that may lie in a data folder; a half-written or temporary file is none of it."""


def audit(stack: Stack, settings: Settings, accepted: Sequence[str]) -> dict[str, Item]:
    """Assert the service's promises, as far as they can be seen from outside.

    Args:
        stack: the service, all of whose items have ended.
        settings: where it keeps things.
        accepted: the id of every upload that was answered with 2xx and not deleted.

    Returns:
        The items by id.
    """
    ledger, store = open_ledger(settings), open_store(settings)
    try:
        items = {item_id: ledger.get(TENANT, item_id) for item_id in accepted}
        _every_item_ended_once(items, accepted, ledger.depth())
        _objects_are_those_of_the_ledger(items, store)
        secrets = _forms(settings.master_secret.read_bytes(), ledger.tenant_salt(TENANT))
    finally:
        ledger.close()
    _no_temporary_file(settings.data_dir)
    _no_secret(settings.data_dir, secrets)
    _memory_is_bounded(stack)
    return items


def _every_item_ended_once(
    items: dict[str, Item], accepted: Sequence[str], depth: dict[State, int]
) -> None:
    assert len(items) == len(accepted), "an id was given twice"
    assert {item.state for item in items.values()} <= FINAL
    assert Counter(item.state for item in items.values()) == depth, "the ledger holds others"


def _objects_are_those_of_the_ledger(items: dict[str, Item], store: ObjectStore) -> None:
    done = [item for item in items.values() if item.state is State.DONE]
    outputs = {key for item in done for key in output_keys(item).values()}
    until = time.monotonic() + TIDY_S
    while (kept := {key for key, _ in store.keys("")}) != outputs and time.monotonic() < until:
        time.sleep(0.1)  # a worker tidies up after it has told the ledger
    assert kept == outputs, "missing, orphaned, or an original of what has ended"
    for item_id, item in items.items():
        assert (item.state is State.DONE) == (item.output is not None)
        if item.output is not None:
            files = [(one.sha256, one.size) for one in item.output.files]
            for file, key in zip(files, output_keys(item).values(), strict=True):
                data = store.get(key)
                assert (hashlib.sha256(data).hexdigest(), len(data)) == file
        assert original_key(TENANT, item_id) not in kept


def _no_temporary_file(data_dir: Path) -> None:
    strange = [
        name for path in data_dir.rglob("*")
        if not path.is_dir() and not KNOWN_FILES.fullmatch(name := str(path.relative_to(data_dir)))
    ]  # fmt: skip
    assert not strange


def _forms(master: bytes, salt: bytes) -> list[bytes]:
    """The secrets as they might be written by mistake; halves, so that no line break hides one."""
    found: list[bytes] = []
    for secret in (master, tenant_secret(master, salt)):
        half = secret[:15]
        written = (half.hex().encode(), base64.b64encode(half), base64.urlsafe_b64encode(half))
        found += [half, repr(half)[2:-1].encode(), *written, half.hex().upper().encode()]
    return found


def _no_secret(data_dir: Path, secrets: Sequence[bytes]) -> None:
    for path in _written(data_dir):
        data = path.read_bytes()
        assert not [form for form in secrets if form in data], path


def _written(data_dir: Path) -> Iterator[Path]:
    """Logs, ledger, the broker's own file."""
    for pattern in ("logs/*", "ledger.sqlite*", "appendonlydir/*", "metrics/*"):
        yield from data_dir.glob(pattern)


def _memory_is_bounded(stack: Stack) -> None:
    api, worker = stack.part("api"), stack.part("worker")
    assert _resident([api]) <= API_MIB
    assert _resident([worker, *worker.children(recursive=True)]) <= WORKER_MIB


def _resident(processes: Sequence[psutil.Process]) -> float:
    return float(sum(process.memory_info().rss for process in processes)) / MIB
