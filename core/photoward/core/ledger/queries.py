"""Queries and changes that several subjects of the ledger share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, case, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from photoward.core.api_keys import bound_tenant_salt
from photoward.core.errors import Conflict, NotFound
from photoward.core.jobs import FINAL_STATES, IDEMPOTENCY_WINDOW, State
from photoward.core.ledger import fair_queue, rows
from photoward.core.ledger.engine import clock, now
from photoward.core.ledger.tables import batches, items, tenants

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, FromClause, Row, Select, Table

    from photoward.core.jobs import Item

SALT_BYTES = 16
MAX_IDS = 1000
"""Ids in one query: both databases bound the number of parameters."""

_INSERT: dict[str, Callable[[Table], sqlite.Insert | postgresql.Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


def _own(table: FromClause) -> Select[Any]:
    mine = table.c.id == bindparam("item"), table.c.tenant == bindparam("tenant")
    return select(table).where(*mine, table.c.deleted_at.is_(None))


# Built once: to build a query costs as much as to run it.
OWN_ITEM = _own(items)
"""A tenant's item, unless it is deleted; parameters ``tenant`` and ``item``."""

_item = items.alias("item")
OWN_ITEM_WITH_POSITION = _own(_item).add_columns(
    case((_item.c.state == State.QUEUED, fair_queue.position(_item))).label("position")
)
"""The same with its ``position`` in the queue (0: next; None: it is not queued)."""


def chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """``ids`` in runs of at most ``MAX_IDS``."""
    return (ids[start : start + MAX_IDS] for start in range(0, len(ids), MAX_IDS))


def inserting(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT into a table that supports ON CONFLICT."""
    return _INSERT[connection.dialect.name](table)


def ensure_tenant(connection: Connection, tenant: str) -> None:
    """Create the tenant's row with a fresh salt, unless it exists."""
    statement = inserting(connection, tenants)
    values = {"id": tenant, "salt": os.urandom(SALT_BYTES)}
    connection.execute(statement.values(values).on_conflict_do_nothing())


def locked_tenant(connection: Connection, tenant: str) -> Row[Any]:
    """The tenant's row, created if it does not exist, locked until this transaction ends.

    Every transaction that adds something of a tenant begins with it, so that an erasure comes
    before or after that, never between. Raises NotFound: the tenant was erased since this context
    was authenticated.
    """
    query = select(tenants).where(tenants.c.id == tenant).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        ensure_tenant(connection, tenant)
        row = connection.execute(query).one()
    if bound_tenant_salt(tenant) not in {None, row.salt}:
        raise NotFound("Its tenant has been erased.")
    return row


def repeated(
    connection: Connection, table: Table, tenant: str, idempotency_key: str | None
) -> Row[Any] | None:
    """The row of ``table`` that the tenant created with that key within the window, or None."""
    if idempotency_key is None:
        return None
    since = now(connection) - IDEMPOTENCY_WINDOW
    made = (
        table.c.tenant == tenant,
        table.c.idempotency_key == idempotency_key,
        table.c.created_at > since,
    )
    newest = select(table).where(*made).order_by(table.c.created_at.desc())
    return connection.execute(newest.limit(1)).one_or_none()


def the_one(row: Row[Any] | None) -> Row[Any]:
    """The row. Raises NotFound: there is none."""
    if row is None:
        raise NotFound
    return row


def the_batch(connection: Connection, tenant: str, batch_id: str) -> Row[Any]:
    """The tenant's batch. Raises NotFound."""
    found = select(batches).where(batches.c.id == batch_id, batches.c.tenant == tenant)
    return the_one(connection.execute(found).one_or_none())


def open_batch(connection: Connection, tenant: str, batch_id: str) -> Row[Any]:
    """The same. Raises Conflict: ``batch_closed``."""
    row = the_batch(connection, tenant, batch_id)
    if row.closed_at is not None:
        raise Conflict("batch_closed", "It takes no more photos.")
    return row


def write(connection: Connection, locked: Collection[int], values: Mapping[str, Any]) -> None:
    """Change rows that this transaction has locked, all to the same values."""
    if locked:
        stamped = {**values, "updated_at": clock(connection)}
        connection.execute(update(items).where(items.c.seq.in_(locked)).values(stamped))


def write_each(connection: Connection, changes: Mapping[int, Mapping[str, Any]]) -> None:
    """Change rows that this transaction has locked, each to its own values of the same columns."""
    if changes:
        one = update(items).where(items.c.seq == bindparam("at"))
        values = [{"at": seq, **own} for seq, own in changes.items()]
        connection.execute(one.values(updated_at=clock(connection)), values)


def deletion(old: Item, moment: datetime) -> dict[str, Any]:
    """The columns of a row that is deleted: cancelled if it had not ended, and emptied."""
    end = old.state if old.state in FINAL_STATES else State.CANCELLED
    return unleased(end) | rows.tombstone(old, moment) | {"updated_at": moment}


def count_states(connection: Connection, ids: Sequence[str]) -> dict[str, dict[State, int]]:
    """How many items of each batch are in each state (absent: none); deleted ones do not count."""
    theirs = (items.c.batch_id.in_(ids), items.c.deleted_at.is_(None))
    counted = select(items.c.batch_id, items.c.state, func.count()).where(*theirs)
    found: dict[str, dict[State, int]] = {}
    for batch_id, state, count in connection.execute(
        counted.group_by(items.c.batch_id, items.c.state)
    ):
        found.setdefault(batch_id, {})[State(state)] = count
    return found


def unleased(state: State) -> dict[str, Any]:
    """The columns of a row that leaves its lease for ``state``."""
    return {"state": state, "lease_token": None, "lease_expires_at": None, "stage": None}
