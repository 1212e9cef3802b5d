"""The migrations make what the code believes to be there."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from photoward.core.errors import Unavailable
from photoward.core.ledger import open_ledger
from photoward.core.ledger.migrations import migrate
from photoward.core.ledger.tables import items, metadata
from tests.support.samples import added

if TYPE_CHECKING:
    from photoward.core.ledger.adapter import SqlLedger
    from photoward.core.settings import Settings


def test_the_migrated_tables_are_the_declared_ones(ledger: SqlLedger) -> None:
    with ledger._engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_tables_of_a_newer_version_are_left_alone(
    ledger: SqlLedger, ledger_settings: Settings
) -> None:
    with ledger._engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Unavailable, match="newer"):
        open_ledger(ledger_settings)


def test_an_item_of_one_size_becomes_one_of_a_set(ledger: SqlLedger) -> None:
    old, plain = added(ledger), added(ledger)
    with ledger._engine.begin() as connection:
        for item, side in ((old, 1080), (plain, None)):
            options = asdict(item.options) | {"max_side": side}
            del options["sizes"]
            connection.execute(items.update().where(items.c.id == item.id).values(options=options))
        connection.execute(text("DROP TABLE keys"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    migrate(ledger._engine)
    assert ledger.get("alice", old.id).options == replace(old.options, sizes=(1080,))
    assert ledger.get("alice", plain.id) == plain
