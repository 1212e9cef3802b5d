"""The digests of protected files, in every ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from photoward.core.jobs import Output, Rendition
from photoward.core.ledger.engine import make_engine
from photoward.core.ledger.migrations.versions import v0020_outputs
from photoward.core.ledger.tables import metadata
from tests.support.samples import added, claimed, result

if TYPE_CHECKING:
    from photoward.core.ledger import Ledger
    from photoward.core.settings import Settings

LARGE, SMALL = "cd" * 32, "ef" * 32
OUTPUT = Output(LARGE, 4321, "image/png", (Rendition(100, 80, SMALL, 321, {}, "image/png"),))


def done(ledger: Ledger, tenant: str = "alice") -> str:
    item = added(ledger, tenant)
    token, _ = claimed(ledger)
    assert ledger.items.complete(token, [result(item.id, output=OUTPUT)]) == {item.id}
    return item.id


def test_the_files_of_an_item_are_found_by_their_owner_alone(ledger: Ledger) -> None:
    item_id = done(ledger)
    for digest in (LARGE, SMALL):
        assert ledger.outputs.find_item("alice", digest) == item_id
        assert ledger.outputs.find_item("bob", digest) is None
    assert ledger.outputs.find_item("alice", "00" * 32) is None


def test_of_two_items_with_the_same_file_one_is_left(ledger: Ledger) -> None:
    first, second = done(ledger), done(ledger)
    ledger.items.delete("alice", first)
    assert ledger.outputs.find_item("alice", LARGE) == second
    ledger.items.delete("alice", second)
    assert ledger.outputs.find_item("alice", LARGE) is None


def test_an_erasure_forgets_them(ledger: Ledger) -> None:
    done(ledger)
    theirs = done(ledger, "bob")
    ledger.tenants.erase("alice")
    assert ledger.outputs.find_item("alice", LARGE) is None
    assert ledger.outputs.find_item("bob", SMALL) == theirs


def test_what_a_late_worker_made_is_not_kept(ledger: Ledger) -> None:
    item = added(ledger)
    token, _ = claimed(ledger)
    ledger.items.delete("alice", item.id)
    assert not ledger.items.complete(token, [result(item.id, output=OUTPUT)])
    assert ledger.outputs.find_item("alice", LARGE) is None


def test_files_from_before_the_table_are_in_it(ledger: Ledger, ledger_settings: Settings) -> None:
    kept, gone = done(ledger), done(ledger, "bob")
    ledger.items.delete("bob", gone)
    engine = make_engine(ledger_settings.database)
    with engine.begin() as connection:
        metadata.tables["outputs"].drop(connection)
        with Operations.context(MigrationContext.configure(connection)):
            v0020_outputs.upgrade()
        found = connection.execute(sa.text("SELECT tenant, sha256, item_id FROM outputs")).all()
    engine.dispose()
    assert set(found) == {("alice", LARGE, kept), ("alice", SMALL, kept)}
