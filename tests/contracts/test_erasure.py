"""What every ledger promises of a tenant that is erased while something of it is on its way."""

from __future__ import annotations

import secrets
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pytest

from photoward.core import api_keys
from photoward.core.api_keys import ALL
from photoward.core.audit import Deed
from photoward.core.errors import NotFound
from photoward.core.fetches import Expected
from photoward.core.jobs import new_id
from photoward.core.ledger.tables import metadata
from photoward.core.targets import Sighting
from photoward.core.webhooks import Event
from tests.support.overlap import beginning, paused
from tests.support.samples import HOUR, added, failure, options, source

if TYPE_CHECKING:
    from collections.abc import Callable

    from photoward.core.ledger.adapter import SqlLedger


@dataclass(frozen=True)
class Begun:
    """Something of everything that a tenant has."""

    ledger: SqlLedger
    tenant: str
    batch: str
    key: str
    upload: str


WRITES: dict[str, Callable[[Begun], object]] = {
    "photo": lambda of: added(of.ledger, of.tenant),
    "photo of a batch": lambda of: added(of.ledger, of.tenant, batch=of.batch),
    "photo of an upload": lambda of: of.ledger.add(
        new_id(), of.tenant, options(), source(), "k", upload=of.upload
    ),
    "batch": lambda of: of.ledger.add_batch(new_id(), of.tenant, "holiday", {}),
    "manifest": lambda of: of.ledger.expect(of.tenant, of.batch, [_expected()]),
    "manifest once more": lambda of: of.ledger.expect_again(of.tenant, of.batch),
    "upload": lambda of: of.ledger.add_upload(
        new_id(), of.tenant, 9, "", most=9, most_bytes=99
    ),
    "part": lambda of: of.ledger.write_upload(of.tenant, of.upload, "0-b", 1, start=0),
    "key": lambda of: of.ledger.add_key(_minted(), of.tenant, "x", ALL, None),
    "key instead of one": lambda of: of.ledger.rotate_key(of.tenant, of.key, _minted(), HOUR),
    "webhook": lambda of: of.ledger.add_webhook(
        secrets.token_hex(8), of.tenant, "https://a.example", set(Event)
    ),
    "end of a batch": lambda of: of.ledger.cancel_batch(of.tenant, of.batch),
}  # fmt: skip


def _expected() -> Expected:
    return Expected(new_id(), "key", "inbox/cat.png", options(), "cat.png")


def _minted() -> api_keys.Minted:
    return api_keys.mint(bytes(32))


def begun(ledger: SqlLedger, tenant: str) -> Begun:
    key = ledger.add_key(_minted(), tenant, "x", ALL, None).id
    batch = ledger.add_batch(new_id(), tenant, "holiday", {}).id
    ledger.expect(tenant, batch, [_expected()])
    arrival = ledger.take_arrival(HOUR)
    assert arrival is not None
    ledger.miss(arrival, failure(arrival.item_id, "source_missing"), final=False)
    upload = ledger.add_upload(new_id(), tenant, 9, "", most=9, most_bytes=99).id
    return Begun(ledger, tenant, batch, key, upload)


def left(ledger: SqlLedger, tenant: str) -> dict[str, int]:
    """In how many rows of which tables something of a tenant is; what is hidden says nothing."""
    found = {}
    with ledger._engine.connect() as connection:
        for table in metadata.sorted_tables:
            if "tenant" in table.c:
                mine = table.select().where(table.c.tenant == tenant)
                if table.name == "items":
                    mine = mine.where(table.c.hidden_at.is_(None))
                found[table.name] = len(connection.execute(mine).all())
    return {name: count for name, count in found.items() if count}


def entered(tenant: str, salt: bytes, call: Callable[[], object]) -> object:
    """Make a call as somebody who came in when the tenant had that salt."""

    def run() -> object:
        api_keys.enter(tenant, salt)
        return call()

    return copy_context().run(run)


def test_who_came_in_before_an_erasure_writes_nothing_after_it(ledger: SqlLedger) -> None:
    for what, write in WRITES.items():
        of = begun(ledger, what)
        salt = ledger.tenant_salt(what)
        ledger.erase(what)
        with pytest.raises(NotFound):
            entered(what, salt, partial(write, of))
        assert left(ledger, what) == {"audit": 1}, what
        (entry,) = ledger.entries(what, after=0, limit=9)
        assert entry.deed is Deed.TENANT_ERASED


def test_an_erasure_waits_for_what_has_begun_to_write(ledger: SqlLedger) -> None:
    for what, write in WRITES.items():
        of = begun(ledger, what)
        with paused(ledger, "SELECT FROM"):  # behind its first look, before it writes
            writing = beginning(partial(write, of))
        erasing = beginning(partial(ledger.erase, what))
        assert writing.exception(10) is None
        erasing.result(10)
        assert left(ledger, what) == {"audit": 1}, what


def test_of_a_label_that_is_steered_meanwhile_nothing_stays(ledger: SqlLedger) -> None:
    salt = ledger.tenant_salt("alice")

    def sighting() -> Sighting:
        ledger.erase("alice")  # while networks look
        return Sighting(1, frozenset({1}), (2, 3), (0, 1))

    entered("alice", salt, lambda: ledger.target("alice", "digest", sighting))
    assert left(ledger, "alice") == {"audit": 1}


def test_who_comes_in_afterwards_is_welcome(ledger: SqlLedger) -> None:
    minted = _minted()
    ledger.add_key(minted, "alice", "x", ALL, None)
    ledger.erase("alice")
    key = ledger.add_key(minted, "alice", "x", ALL, None)
    found = ledger.live_key(key.id)
    assert found is not None
    assert found.salt == ledger.tenant_salt("alice")
    entered("alice", found.salt, lambda: added(ledger))
    entered("alice", b"what it was once", lambda: added(ledger, "bob"))
    assert left(ledger, "alice")["items"] == left(ledger, "bob")["items"] == 1
