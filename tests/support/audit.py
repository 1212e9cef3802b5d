"""What must hold of a service at rest, whatever happened to it before."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections import Counter
from contextlib import closing
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx

from photoward.core import api_keys
from photoward.core.api_keys import TENANT_SCOPES
from photoward.core.errors import PROBLEMS, is_ours
from photoward.core.jobs import FINAL_STATES, Item, State
from photoward.core.key_derivation import pepper, tenant_secret
from photoward.core.ledger import open_ledger
from photoward.core.ledger.tables import metadata
from photoward.core.object_keys import original_key, output_keys
from photoward.core.storage import open_store
from tests.support.faults import broker, rows

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    import psutil

    from photoward.core.ledger import Ledger
    from photoward.core.settings import Settings
    from photoward.core.storage import ObjectStore
    from tests.support.stack import Stack

TENANT = "default"
MIB = 2**20
API_MIB, WORKER_MIB, BROKER_MIB = 400, 2048, 256
LOOKED_AT = 10
"""Items that are asked for over HTTP."""
TIDY_S = 10.0
"""Longest time between an item's end and its original's."""

KNOWN_FILES = re.compile(
    r"master\.secret|up\.lock|redis\.sock|redis\.log|ledger\.sqlite(-wal|-shm)?"
    r"|logs/[a-z0-9-]+\.log(\.\d)?|metrics/[a-z_]+_\d+\.db|appendonlydir/appendonly\.aof[a-z0-9.]*"
    rf"|objects/(originals|outputs)/{TENANT}/[0-9a-f]{{32}}(-\d+x\d+)?"
)
"""Everything that may lie in a data folder; a half-written or temporary file is none of it."""


def audit(
    stack: Stack, settings: Settings, accepted: Sequence[str], *, hostile: bool = False
) -> dict[str, Item]:
    """Assert the service's promises, as far as they can be seen from outside.

    Args:
        stack: the service, all of whose items have ended.
        settings: where it keeps things.
        accepted: the id of every upload that was answered with 2xx and not deleted.
        hostile: whether some of the pictures were none.

    Returns:
        The items by id.
    """
    ledger, store = open_ledger(settings), open_store(settings)
    try:
        items = {item_id: ledger.items.get(TENANT, item_id) for item_id in accepted}
        _every_item_ended_once(items, accepted, ledger.items.count_by_state())
        _nothing_is_still_to_come(items, rows(settings, "fetches"))
        _objects_are_those_of_the_ledger(items, store)
        secrets = _forms(settings.master_secret.read_bytes(), ledger.tenants.salt(TENANT))
        _what_is_served_is_what_was_promised(stack, items)
        _strangers_see_nothing(stack, settings, ledger, accepted)
    finally:
        ledger.close()
    _no_temporary_file(settings.data_dir)
    _no_secret(settings, secrets)
    _memory_is_bounded(stack, settings)
    _nobody_else_is_blamed(settings.data_dir, [] if hostile else list(items.values()))
    return items


def _every_item_ended_once(
    items: dict[str, Item], accepted: Sequence[str], depth: dict[State, int]
) -> None:
    assert len(items) == len(accepted), "an id was given twice"
    assert {item.state for item in items.values()} <= FINAL_STATES
    assert Counter(item.state for item in items.values()) == depth, "the ledger holds others"


def _nothing_is_still_to_come(items: dict[str, Item], fetches: list[dict[str, Any]]) -> None:
    """Where it lies is remembered only of what failed and may be asked for again."""
    for fetch in fetches:
        item = items[fetch["item_id"]]
        assert (item.state, fetch["next_attempt_at"]) == (State.FAILED, None)
        assert not item.source.size


def _objects_are_those_of_the_ledger(items: dict[str, Item], store: ObjectStore) -> None:
    done = [item for item in items.values() if item.state is State.DONE]
    outputs = {key for item in done for key in output_keys(item).values()}
    again = {original_key(TENANT, item_id) for item_id, item in items.items() if _may_retry(item)}
    needed = outputs | again
    until = time.monotonic() + TIDY_S
    while (kept := {key for key, _ in store.keys("")}) != needed and time.monotonic() < until:
        time.sleep(0.1)  # a worker tidies up after it has told the ledger
    assert kept == needed, "missing, orphaned, or an original of what has ended"
    for item in items.values():
        assert (item.state is State.DONE) == (item.output is not None)
        if item.output is not None:
            files = [(one.sha256, one.size) for one in item.output.files]
            for file, key in zip(files, output_keys(item).values(), strict=True):
                data = store.get(key)
                assert (hashlib.sha256(data).hexdigest(), len(data)) == file


def _may_retry(item: Item) -> bool:
    """Whether its original is kept: it came, and we are to blame that it failed."""
    ours = item.state is State.FAILED and is_ours(item.error_code or "internal_error")
    return ours and bool(item.source.size)


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


def _no_secret(settings: Settings, secrets: Sequence[bytes]) -> None:
    for where, data in written(settings):
        assert not [form for form in secrets if form in data], where


def written(settings: Settings) -> Generator[tuple[str, bytes]]:
    """Logs, ledger, the broker's own file; of servers elsewhere what they tell."""
    for pattern in ("logs/*", "ledger.sqlite*", "appendonlydir/*", "metrics/*"):
        for path in settings.data_dir.glob(pattern):
            yield path.name, path.read_bytes()
    for table in metadata.sorted_tables:
        if table.name != "tenants":  # the salt's place
            yield table.name, repr(rows(settings, table.name)).encode()
    with closing(broker(settings)) as client:
        for key in client.scan_iter():
            yield "broker", client.dump(key) or b""


def _what_is_served_is_what_was_promised(stack: Stack, items: dict[str, Item]) -> None:
    done = [item for item in items.values() if item.output is not None]
    for item in done[:: max(len(done) // LOOKED_AT, 1)]:
        served = hashlib.sha256(stack.content(item.id)).hexdigest()
        assert item.output is not None
        assert served == item.output.sha256


def _strangers_see_nothing(
    stack: Stack, settings: Settings, ledger: Ledger, accepted: Sequence[str]
) -> None:
    minted = api_keys.generate(pepper(settings.master_secret.read_bytes()))
    key = ledger.api_keys.add(minted, "a stranger", "audit", TENANT_SCOPES, timedelta(minutes=5))

    def told(path: str) -> tuple[int, dict[str, Any]]:
        answer = httpx.get(f"{stack.url}{path}", headers={"X-API-Key": minted.text})
        return answer.status_code, {**answer.json(), "instance": None}

    for item_id in accepted[:LOOKED_AT]:
        for path in ("/v1/images/{}", "/v1/images/{}/content"):
            status, problem = told(path.format(item_id))
            missing = told(path.format("0" * 32))
            assert status == HTTPStatus.NOT_FOUND, problem
            assert repr(problem).replace(item_id, "0" * 32) == repr(missing[1])
    ledger.api_keys.revoke("a stranger", key.id, timedelta(0))


def _memory_is_bounded(stack: Stack, settings: Settings) -> None:
    api, worker = stack.part("api"), stack.part("worker")
    assert _resident([api]) <= API_MIB
    assert _resident([worker, *worker.children(recursive=True)]) <= WORKER_MIB
    with closing(broker(settings)) as client:
        told: Any = client.info("memory")
        assert told["used_memory"] / MIB <= BROKER_MIB


def _resident(processes: Sequence[psutil.Process]) -> float:
    return float(sum(process.memory_info().rss for process in processes)) / MIB


def _nobody_else_is_blamed(data_dir: Path, good: Sequence[Item]) -> None:
    """What failed did so for a reason of ours, and nothing broke in a way that nobody foresaw."""
    codes = {item.error_code for item in good if item.error_code}
    assert not [code for code in codes if PROBLEMS[code].status < HTTPStatus.INTERNAL_SERVER_ERROR]
    log = (data_dir / "logs" / "api.log").read_text(errors="replace")
    assert '"status": 500' not in log
    assert "request_broke" not in log
