"""A filled ledger of the version before its tables got new names keeps everything."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import MetaData, func, inspect, select

from photoward.core.api_keys import Scope
from photoward.core.audit import SUCCESS, AuditAction
from photoward.core.jobs import State
from photoward.core.ledger import open_ledger
from photoward.core.ledger.engine import make_engine
from photoward.core.ledger.migrations import migrate
from photoward.core.ledger.tables import items, metadata
from photoward.core.webhooks import DeliveryState, Event
from tests.support.samples import HOUR, options, result, source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from photoward.core.ledger import Ledger
    from photoward.core.settings import Settings

COUNT = 10_000
BATCH, UPLOAD, HOOK, KEY = "b" * 32, "c" * 32, "d" * 16, "e" * 16
MOMENT = datetime.now(UTC).replace(microsecond=0)
LONG_AGO = MOMENT - timedelta(days=3)
OLD_OPTIONS = {
    ("metadata" if name == "keep_exif" else name): value
    for name, value in asdict(options(keep_exif="date", label='"metadata": "x"')).items()
}


def item(number: int, state: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401  # columns
    return {
        "id": f"{number:032x}",
        "tenant": "alice",
        "state": state,
        "batch_key": "sem/32",
        "megapixels": 1.0,
        "lane": 1,
        "turn": float(number),
        "options": OLD_OPTIONS,
        "source": asdict(source(filename=f"{number}.png")),
        "attempts": 0,
        "measured": {},
        "created_at": MOMENT,
        "updated_at": MOMENT,
        "batch": BATCH,
        "request": f"{number:064x}",
        "trace": f"00-{'a' * 32}-{'b' * 16}-01",
        **more,
    }


def rows() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Something in every table of version 0017."""
    yield (
        "tenants",
        [{"id": "alice", "salt": bytes(16), "quota": 1e6, "turn": 3.0, "batch_turn": 7.0}],
    )
    yield (
        "batches",
        [
            {
                "id": BATCH,
                "tenant": "alice",
                "name": "holiday",
                "options": {"preset": "strong"},
                "created_at": MOMENT,
                "request": "f" * 64,
                "rest_at": LONG_AGO,
            }
        ],
    )
    leased = {"lease": "1" * 32, "lease_until": MOMENT + HOUR, "attempts": 1}
    yield "items", [item(0, "received")]
    yield "items", [item(1, "leased", **leased)]
    yield "items", [item(2, "done", hidden_at=MOMENT, request=None)]
    yield "items", [item(number, "queued") for number in range(3, COUNT)]
    yield (
        "uploads",
        [
            {
                "id": UPLOAD,
                "tenant": "alice",
                "length": 9,
                "arrived": 4,
                "parts": ["0-a"],
                "metadata": "",
                "item": None,
                "created_at": MOMENT,
                "expires_at": MOMENT + HOUR,
            }
        ],
    )
    yield (
        "webhooks",
        [
            {
                "id": HOOK,
                "tenant": "alice",
                "url": "https://a.example",
                "events": "image.done",
                "version": 2,
                "old_until": MOMENT,
                "created_at": MOMENT,
            }
        ],
    )
    yield (
        "deliveries",
        [
            {
                "id": "msg_1",
                "webhook": HOOK,
                "event": "image.done",
                "payload": {"type": "image.done"},
                "state": "pending",
                "attempts": 1,
                "created_at": MOMENT,
                "due_at": LONG_AGO,
            }
        ],
    )
    yield (
        "keys",
        [
            {
                "id": KEY,
                "tenant": "alice",
                "name": "laptop",
                "scopes": "admin,read,write",
                "digest": bytes(32),
                "created_at": MOMENT,
            }
        ],
    )
    yield (
        "arrivals",
        [
            {
                "item": f"{0:032x}",
                "tenant": "alice",
                "kind": "url",
                "place": "https://a.example/a.png",
                "tries": 1,
                "due_at": LONG_AGO,
            }
        ],
    )
    yield "duties", [{"name": "sweep", "due_at": MOMENT + HOUR}]
    target = {"tenant": "alice", "label": "9" * 32, "home": 1, "anchor": 2, "vertex": 3}
    yield "targets", [target | {"number": 1}]
    yield "workers", [{"id": "0" * 16, "seen_at": MOMENT}]
    entries = [
        ("key.made", KEY, "operator", "done"),
        ("access.refused", None, "stranger", "unauthenticated"),
        ("image.deleted", "2" * 32, "anyone", "done"),
    ]
    yield (
        "audit",
        [
            {
                "at": MOMENT,
                "tenant": "alice",
                "deed": deed,
                "thing": thing,
                "actor": actor,
                "outcome": outcome,
                "request": "r1",
            }
            for deed, thing, actor, outcome in entries
        ],
    )


@pytest.fixture
def upgraded(ledger_settings: Settings) -> Iterator[Ledger]:
    """A ledger that version 0017 has filled."""
    old = make_engine(ledger_settings.database)
    migrate(old, "0017")
    tables = MetaData()
    tables.reflect(old)
    with old.begin() as connection:
        for name, values in rows():
            connection.execute(tables.tables[name].insert(), values)
    old.dispose()
    ledger = open_ledger(ledger_settings)
    yield ledger
    ledger.close()


def test_a_filled_ledger_of_the_version_before_keeps_everything(upgraded: Ledger) -> None:
    work = upgraded.items.queued_work()
    assert sum(one.items for one in work.values()) == COUNT - 3
    assert upgraded.items.next_queued_id() == f"{3:032x}"
    (job,) = filter(None, [upgraded.fetches.claim(HOUR)])
    assert (job.source_kind, job.location, job.attempts) == ("url", "https://a.example/a.png", 2)
    assert upgraded.items.complete("1" * 32, [result(f"{1:032x}")]) == {f"{1:032x}"}
    (claimed,) = upgraded.items.claim(limit=1, max_megapixels=1, lease=HOUR)
    assert (claimed.group_key, claimed.batch_id, claimed.trace_id) == ("sem/32", BATCH, "a" * 32)
    assert claimed.source.filename == "3.png"
    assert (claimed.options.keep_exif, claimed.options.label) == ("date", '"metadata": "x"')
    same = upgraded.items.list_newest(
        "alice", before=None, limit=2, source_sha256=claimed.source.sha256
    )
    assert [item.source.filename for _, item in same] == [f"{COUNT - 1}.png", f"{COUNT - 2}.png"]
    batch = upgraded.batches.get("alice", BATCH)
    assert batch.counts == {
        State.RECEIVED: 1,
        State.DONE: 1,
        State.LEASED: 1,
        State.QUEUED: COUNT - 4,
    }
    again = upgraded.batches.add(
        "0" * 32, "alice", "holiday", batch.options, idempotency_key="f" * 64
    )
    assert again.id == BATCH, "the key of a request is still known"
    upload = upgraded.uploads.get("alice", UPLOAD)
    assert (upload.received, upload.parts, upload.item_id) == (4, ("0-a",), None)


def test_what_else_it_held_is_there_under_the_new_names(upgraded: Ledger) -> None:
    (hook,) = upgraded.webhooks.list_due()
    assert (hook.secret_version, hook.previous_secret_until) == (2, MOMENT)
    (delivery,) = upgraded.webhooks.claim_deliveries(HOOK, 9, HOUR)
    assert (delivery.event, delivery.state, delivery.attempts) == (
        Event.IMAGE_SUCCEEDED,
        DeliveryState.PENDING,
        2,
    )
    assert delivery.payload == {"type": "image.succeeded"}
    assert hook.events == {Event.IMAGE_SUCCEEDED}
    key = upgraded.api_keys.get_active(KEY)
    assert key is not None
    assert (key.name, key.salt) == ("laptop", bytes(16))
    assert key.scopes == {Scope.ADMIN, Scope.READ, Scope.WRITE, Scope.WEBHOOKS}
    assert not upgraded.periodic_tasks.claim("sweep", HOUR)
    assert upgraded.workers.since_heartbeat() is not None
    target = upgraded.targets.get_or_choose("alice", "9" * 32, lambda: pytest.fail("it is stored"))
    assert (target.home, target.anchor, target.vertex) == (1, 2, 3)
    usage = upgraded.tenants.usage("alice")
    assert (usage.megapixels, usage.quota) == (COUNT, 1e6)
    entries = upgraded.audit.list_entries("alice", after=0, limit=9)
    assert [(entry.action, entry.actor.name, entry.outcome) for entry in entries] == [
        (AuditAction.KEY_CREATE, "operator", SUCCESS),
        (AuditAction.ACCESS_DENY, "unauthenticated", "unauthenticated"),
        (AuditAction.IMAGE_DELETE, "anonymous", SUCCESS),
    ]
    assert [entry.resource_id for entry in entries] == [KEY, None, "2" * 32]


def test_nothing_of_the_old_names_is_left(upgraded: Ledger) -> None:
    found = inspect(upgraded._engine)
    assert set(found.get_table_names()) == {*metadata.tables, "alembic_version"}
    for name, table in metadata.tables.items():
        assert {column["name"] for column in found.get_columns(name)} == set(table.c.keys())
        declared = {index.name for index in table.indexes}
        assert {index["name"] for index in found.get_indexes(name)} - {None} >= declared
    with upgraded._engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(items)).scalar_one() == COUNT
