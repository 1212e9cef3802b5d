"""Which rows a change may touch, found and locked in one order; and the writing of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, case, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from photoward.core.api_keys import salt_at_entrance
from photoward.core.errors import NotFound
from photoward.core.jobs import FINAL, MAX_ATTEMPTS, REPEAT_WINDOW, Lane, State
from photoward.core.ledger import rows, turns
from photoward.core.ledger.engine import clock, now
from photoward.core.ledger.tables import IS_LEASED, batches, items, tenants
from photoward.core.ledger.turns import queue

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, FromClause, Row, Select, Table

    from photoward.core.jobs import Item

SALT_BYTES = 16
KNOWN_AT_ONCE = 1000
"""Ids in one query: both databases bound the number of parameters."""

_SHARE = 16
"""By which batches shrink with each lost worker."""

_INSERT: dict[str, Callable[[Table], sqlite.Insert | postgresql.Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


def _own(table: FromClause) -> Select[Any]:
    mine = table.c.id == bindparam("item"), table.c.tenant == bindparam("tenant")
    return select(table).where(*mine, table.c.hidden_at.is_(None))


# Made once: to build a question costs as much as to ask it.
OWN = _own(items)
"""A tenant's item, unless it is hidden; to be told ``tenant`` and ``item``."""

_asked = items.alias("asked")
STANDING = _own(_asked).add_columns(
    case((_asked.c.state == State.QUEUED, turns.before(_asked))).label("before")
)
"""The same, with how many stand ``before`` it if it is queued."""


def in_parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """As many ids at a time as one query may name."""
    return (ids[at : at + KNOWN_AT_ONCE] for at in range(0, len(ids), KNOWN_AT_ONCE))


def inserting(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An insertion into a table that knows what to do on a conflict."""
    return _INSERT[connection.dialect.name](table)


def ensure_tenant(connection: Connection, tenant: str) -> None:
    """Give the tenant a salt, unless there is one."""
    statement = inserting(connection, tenants)
    values = {"id": tenant, "salt": os.urandom(SALT_BYTES)}
    connection.execute(statement.values(values).on_conflict_do_nothing())


def locked_tenant(connection: Connection, tenant: str) -> Row[Any]:
    """The tenant's row, made if there is none, and nobody else's until this transaction ends.

    What puts something of a tenant into the ledger begins with it, so that an erasure comes before
    or after that, and never between. Raises NotFound: it came before.
    """
    query = select(tenants).where(tenants.c.id == tenant).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        ensure_tenant(connection, tenant)
        row = connection.execute(query).one()
    if salt_at_entrance(tenant) not in {None, row.salt}:
        raise NotFound("Its tenant has been erased.")
    return row


def repeated(
    connection: Connection, table: Table, tenant: str, request: str | None
) -> Row[Any] | None:
    """The row of ``table`` that the tenant made of late by a request of that name, or None."""
    if request is None:
        return None
    since = now(connection) - REPEAT_WINDOW
    made = (table.c.tenant == tenant, table.c.request == request, table.c.created_at > since)
    newest = select(table).where(*made).order_by(table.c.created_at.desc())
    return connection.execute(newest.limit(1)).one_or_none()


def the_one(row: Row[Any] | None) -> Row[Any]:
    """The only row of a query. Raises NotFound: there is none."""
    if row is None:
        raise NotFound
    return row


def the_batch(connection: Connection, tenant: str, batch_id: str) -> Row[Any]:
    """The tenant's batch. Raises NotFound."""
    found = select(batches).where(batches.c.id == batch_id, batches.c.tenant == tenant)
    row = connection.execute(found).one_or_none()
    if row is None:
        raise NotFound
    return row


def next_batch(
    connection: Connection, limit: int, limits: Mapping[str, int], max_megapixels: float
) -> list[int]:
    """Lock the rows of the next claim: the first that nobody else is taking, and its like.

    Only of its lane: what somebody waits for takes longer with others. What has lost a worker goes
    with fewer of its kind, and alone for the last time: some of it may be what killed the workers,
    and must not take more along.
    """
    columns = (
        items.c.seq, items.c.lane, items.c.turn, items.c.batch_key, items.c.megapixels,
        items.c.attempts,
    )  # fmt: skip
    free = {lane: queue(lane, *columns).with_for_update(skip_locked=True) for lane in Lane}
    first = turns.first(connection, free.values())
    if first is None:
        return []
    limit = limits.get(first.batch_key, limit)
    if limit < 1:
        return []
    alike = (items.c.batch_key == first.batch_key, items.c.attempts == first.attempts)
    like = free[first.lane].where(*alike, items.c.seq != first.seq)
    limit = fewer(limit, first.attempts)
    chosen, total = [first.seq], first.megapixels
    for row in connection.execute(like.limit(limit - 1)):
        total += row.megapixels
        if total > max_megapixels:
            break
        chosen.append(row.seq)
    return chosen


def fewer(limit: int, attempts: int) -> int:
    """How many items may be claimed together that have been claimed so often before."""
    return 1 if attempts >= MAX_ATTEMPTS - 1 else max(limit // _SHARE**attempts, 1)


def held(connection: Connection, token: str) -> dict[str, int]:
    """Lock what is still leased under the token: id → seq."""
    query = select(items.c.id, items.c.seq).where(items.c.lease == token, IS_LEASED)
    found = connection.execute(query.order_by(items.c.seq).with_for_update())
    return {row.id: row.seq for row in found}


def overdue(connection: Connection) -> dict[int, int]:
    """Lock what is leased beyond its time: seq → attempts."""
    query = select(items.c.seq, items.c.attempts).where(
        IS_LEASED, items.c.lease_until <= now(connection)
    )
    locking = query.order_by(items.c.seq).with_for_update(skip_locked=True)
    return {row.seq: row.attempts for row in connection.execute(locking)}


def write(connection: Connection, locked: Collection[int], values: dict[str, Any]) -> None:
    """Change rows that this transaction has locked, all alike."""
    if locked:
        stamped = values | {"updated_at": clock(connection)}
        connection.execute(update(items).where(items.c.seq.in_(locked)).values(stamped))


def write_each(connection: Connection, changes: dict[int, dict[str, Any]]) -> None:
    """Change rows that this transaction has locked, each in its own way but in equal columns."""
    if changes:
        one = update(items).where(items.c.seq == bindparam("at"))
        values = [{"at": seq, **own} for seq, own in changes.items()]
        connection.execute(one.values(updated_at=clock(connection)), values)


def hidden(old: Item, moment: datetime) -> dict[str, Any]:
    """The columns of a row that is hidden for good, ended if it had not."""
    end = old.state if old.state in FINAL else State.CANCELLED
    return unleased(end) | rows.tombstone(old, moment) | {"updated_at": moment}


def states_of(connection: Connection, batch_id: str) -> dict[State, int]:
    """How many visible items of a batch stand where."""
    mine = (items.c.batch == batch_id, items.c.hidden_at.is_(None))
    counted = select(items.c.state, func.count()).where(*mine).group_by(items.c.state)
    return {State(state): count for state, count in connection.execute(counted)}


def unleased(state: State) -> dict[str, Any]:
    """The columns of a row that leaves its lease for ``state``."""
    return {"state": state, "lease": None, "lease_until": None, "stage": None}
