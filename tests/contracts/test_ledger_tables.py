"""The migrations make what the code believes to be there."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, text

from photoward.core.errors import Unavailable
from photoward.core.jobs import new_id
from photoward.core.ledger import open_ledger
from photoward.core.ledger.engine import make_engine
from photoward.core.ledger.migrations import migrate
from photoward.core.ledger.tables import metadata
from tests.support.samples import options, sides, source

if TYPE_CHECKING:
    from photoward.core.ledger import Ledger
    from photoward.core.settings import Settings


def test_the_migrated_tables_are_the_declared_ones(ledger: Ledger) -> None:
    with ledger._engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_who_finds_the_newest_tables_needs_no_alembic(
    ledger: Ledger, ledger_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes longer than all else that opens a ledger, and every process opens one."""
    assert ledger.items.count_by_state() == {}

    def migrated(*_: object) -> None:
        pytest.fail("there is nothing to do")

    monkeypatch.setattr(command, "upgrade", migrated)
    open_ledger(ledger_settings).close()


def test_tables_of_a_newer_version_are_left_alone(
    ledger: Ledger, ledger_settings: Settings
) -> None:
    with ledger._engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Unavailable, match="newer"):
        open_ledger(ledger_settings)


@pytest.mark.parametrize(("side", "sizes"), [(1080, (1080,)), (None, ())])
def test_an_item_of_one_size_becomes_one_of_a_set(
    ledger_settings: Settings, side: int | None, sizes: tuple[int, ...]
) -> None:
    engine = make_engine(ledger_settings.database)
    migrate(engine, "0001")
    tables = MetaData()
    tables.reflect(engine)
    old = asdict(options()) | {"max_side": side}
    del old["renditions"]
    moment = datetime.now(UTC)
    item_id = new_id()
    row = {
        "id": item_id, "tenant": "alice", "state": "done", "batch_key": "sem/32", "attempts": 1,
        "megapixels": 1, "options": old, "source": asdict(source()), "measured": {},
        "created_at": moment, "updated_at": moment,
    }  # fmt: skip
    with engine.begin() as connection:
        connection.execute(tables.tables["tenants"].insert().values(id="alice", salt=bytes(16)))
        connection.execute(tables.tables["items"].insert().values(row))
    engine.dispose()
    ledger = open_ledger(ledger_settings)
    found = ledger.items.get("alice", item_id)
    ledger.close()
    assert found.options == options(renditions=sides(*sizes))
    assert found.batch_id is None
