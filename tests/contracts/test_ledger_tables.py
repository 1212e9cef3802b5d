"""The migrations make what the code believes to be there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from photoward.core.ledger.tables import metadata

if TYPE_CHECKING:
    from photoward.core.ledger.adapter import SqlLedger


def test_the_migrated_tables_are_the_declared_ones(ledger: SqlLedger) -> None:
    with ledger._engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
