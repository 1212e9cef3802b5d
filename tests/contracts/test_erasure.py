"""What every ledger promises of a tenant that is erased while something of it is on its way."""

from __future__ import annotations

import secrets
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pytest

from photoward.core import api_keys
from photoward.core.api_keys import TENANT_SCOPES
from photoward.core.audit import AuditAction
from photoward.core.errors import NotFound
from photoward.core.fetches import FetchRequest
from photoward.core.jobs import new_id
from photoward.core.ledger.tables import metadata
from photoward.core.targets import Sighting
from photoward.core.webhooks import Event
from tests.support.overlap import beginning, paused
from tests.support.samples import HOUR, added, failure, options, source

if TYPE_CHECKING:
    from collections.abc import Callable

    from photoward.core.ledger import Ledger


@dataclass(frozen=True)
class Begun:
    """Something of everything that a tenant has."""

    ledger: Ledger
    tenant: str
    batch: str
    key: str
    upload: str


WRITES: dict[str, Callable[[Begun], object]] = {
    "photo": lambda of: added(of.ledger, of.tenant),
    "photo of a batch": lambda of: added(of.ledger, of.tenant, batch=of.batch),
    "photo of an upload": lambda of: of.ledger.items.add(
        new_id(), of.tenant, options(), source(), "k", upload_id=of.upload
    ),
    "batch": lambda of: of.ledger.batches.add(new_id(), of.tenant, "holiday", {}),
    "manifest": lambda of: of.ledger.fetches.enqueue(of.tenant, of.batch, [_expected()]),
    "manifest once more": lambda of: of.ledger.fetches.retry_failed(of.tenant, of.batch),
    "upload": lambda of: of.ledger.uploads.add(
        new_id(), of.tenant, 9, "", max_uploads=9, max_bytes=99
    ),
    "part": lambda of: of.ledger.uploads.append_part(of.tenant, of.upload, "0-b", 1, start=0),
    "key": lambda of: of.ledger.api_keys.add(_minted(), of.tenant, "x", TENANT_SCOPES, None),
    "key instead of one": lambda of: of.ledger.api_keys.rotate(of.tenant, of.key, _minted(), HOUR),
    "webhook": lambda of: of.ledger.webhooks.add(
        secrets.token_hex(8), of.tenant, "https://a.example", set(Event)
    ),
    "end of a batch": lambda of: of.ledger.batches.cancel(of.tenant, of.batch),
}  # fmt: skip


def _expected() -> FetchRequest:
    return FetchRequest(new_id(), "key", "inbox/cat.png", options(), "cat.png")


def _minted() -> api_keys.NewApiKey:
    return api_keys.generate(bytes(32))


def begun(ledger: Ledger, tenant: str) -> Begun:
    key = ledger.api_keys.add(_minted(), tenant, "x", TENANT_SCOPES, None).id
    batch = ledger.batches.add(new_id(), tenant, "holiday", {}).id
    ledger.fetches.enqueue(tenant, batch, [_expected()])
    arrival = ledger.fetches.claim(HOUR)
    assert arrival is not None
    ledger.fetches.fail(arrival, failure(arrival.item_id, "source_missing"), final=False)
    upload = ledger.uploads.add(new_id(), tenant, 9, "", max_uploads=9, max_bytes=99).id
    return Begun(ledger, tenant, batch, key, upload)


def left(ledger: Ledger, tenant: str) -> dict[str, int]:
    """In how many rows of which tables something of a tenant is; what is hidden says nothing."""
    found = {}
    with ledger._engine.connect() as connection:
        for table in metadata.sorted_tables:
            if "tenant" in table.c:
                mine = table.select().where(table.c.tenant == tenant)
                if table.name == "items":
                    mine = mine.where(table.c.deleted_at.is_(None))
                found[table.name] = len(connection.execute(mine).all())
    return {name: count for name, count in found.items() if count}


def entered(tenant: str, salt: bytes, call: Callable[[], object]) -> object:
    """Make a call as somebody who came in when the tenant had that salt."""

    def run() -> object:
        api_keys.bind_tenant_salt(tenant, salt)
        return call()

    return copy_context().run(run)


def test_who_came_in_before_an_erasure_writes_nothing_after_it(ledger: Ledger) -> None:
    for what, write in WRITES.items():
        of = begun(ledger, what)
        salt = ledger.tenants.salt(what)
        ledger.tenants.erase(what)
        with pytest.raises(NotFound):
            entered(what, salt, partial(write, of))
        assert left(ledger, what) == {"audit_log": 1}, what
        (entry,) = ledger.audit.list_entries(what, after=0, limit=9)
        assert entry.action is AuditAction.TENANT_ERASE


def test_an_erasure_waits_for_what_has_begun_to_write(ledger: Ledger) -> None:
    for what, write in WRITES.items():
        of = begun(ledger, what)
        with paused(ledger, "SELECT FROM"):  # behind its first look, before it writes
            writing = beginning(partial(write, of))
        erasing = beginning(partial(ledger.tenants.erase, what))
        assert writing.exception(10) is None
        erasing.result(10)
        assert left(ledger, what) == {"audit_log": 1}, what


def test_of_a_label_that_is_steered_meanwhile_nothing_stays(ledger: Ledger) -> None:
    salt = ledger.tenants.salt("alice")

    def sighting() -> Sighting:
        ledger.tenants.erase("alice")  # while networks look
        return Sighting(1, frozenset({1}), (2, 3), (0, 1))

    entered("alice", salt, lambda: ledger.targets.get_or_choose("alice", "digest", sighting))
    assert left(ledger, "alice") == {"audit_log": 1}


def test_who_comes_in_afterwards_is_welcome(ledger: Ledger) -> None:
    minted = _minted()
    ledger.api_keys.add(minted, "alice", "x", TENANT_SCOPES, None)
    ledger.tenants.erase("alice")
    key = ledger.api_keys.add(minted, "alice", "x", TENANT_SCOPES, None)
    found = ledger.api_keys.get_active(key.id)
    assert found is not None
    assert found.salt == ledger.tenants.salt("alice")
    entered("alice", found.salt, lambda: added(ledger))
    entered("alice", b"what it was once", lambda: added(ledger, "bob"))
    assert left(ledger, "alice")["items"] == left(ledger, "bob")["items"] == 1
