"""Weighted fair queueing of tenants, interactive items before bulk ones.

Each item gets a virtual finish time when it is queued: the moment of its turn on a clock that
counts work instead of time (self-clocked fair queueing: Golestani, INFOCOM 1994). Consecutive items
of one tenant are spaced by the tenant's own work, so that ten thousand photos of one tenant delay
that tenant and not the next.
"""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, func, select, tuple_, update

from photoward.core.jobs import Priority
from photoward.core.ledger.tables import IS_QUEUED, items, tenants

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Column, ColumnElement, Connection, FromClause, Row, Select


FIXED_COST_MEGAPIXELS = 0.15
"""Cost of a photo besides its pixels: noise costs the same for any size."""

HEAD_START = {Priority.INTERACTIVE: 0.0, Priority.BULK: 500.0}
"""Megapixels by which a tenant's interactive items may be ahead of everybody's bulk items; a tenant
that submits more than that by itself shares the machine with them."""

LAST_FINISH = {
    Priority.INTERACTIVE: tenants.c.last_interactive_finish,
    Priority.BULK: tenants.c.last_bulk_finish,
}
"""Column that holds the virtual finish time of a tenant's latest item."""

_FIRST_QUEUED = select(
    *(
        select(func.min(items.c.virtual_finish_time))
        .where(IS_QUEUED, items.c.priority == priority)
        .scalar_subquery()
        for priority in Priority
    )
)
_LATEST = select(*(func.max(last) for last in LAST_FINISH.values()))


def next_finish_time(
    connection: Connection, tenant: Row[Any], priority: Priority, megapixels: float
) -> float:
    """The virtual finish time of a tenant's next item; it is stored as the tenant's latest.

    Args:
        connection: of the transaction that queues the item.
        tenant: its row of ``tenants``, locked.
        priority: of the item.
        megapixels: of the item.
    """
    last = LAST_FINISH[priority]
    start = max(getattr(tenant, last.name), _virtual_time(connection))
    finish: float = start + (megapixels + FIXED_COST_MEGAPIXELS) / tenant.weight
    connection.execute(update(tenants).where(tenants.c.id == tenant.id).values({last: finish}))
    return finish


def _virtual_time(connection: Connection) -> float:
    """The earliest finish time in the queues; when they are empty, the latest that was given."""
    queued = [finish for finish in connection.execute(_FIRST_QUEUED).one() if finish is not None]
    return float(min(queued) if queued else max(connection.execute(_LATEST).one()))


def queue(priority: Priority, *columns: Column[Any]) -> Select[Any]:
    """The queued items of a priority in the order in which they are claimed."""
    queued = select(*columns).where(IS_QUEUED, items.c.priority == priority)
    return queued.order_by(items.c.virtual_finish_time, items.c.seq)


def first(connection: Connection, queues: Iterable[Select[Any]]) -> Row[Any] | None:
    """The next row of both queues; they select ``priority``, ``virtual_finish_time``, ``seq``."""
    heads = [row for one in queues for row in connection.execute(one.limit(1))]
    return min(heads, key=_order, default=None)


def _order(row: Row[Any]) -> tuple[float, int]:
    return row.virtual_finish_time + HEAD_START[row.priority], row.seq


def position(item: FromClause) -> ColumnElement[int]:
    """How many queued items are claimed before that of a row of ``item``, an alias of ``items``."""
    order = tuple_(items.c.virtual_finish_time, items.c.seq)
    start = case(HEAD_START, value=item.c.priority)
    earlier = [
        select(func.count())
        .select_from(items)
        .where(
            IS_QUEUED,
            items.c.priority == priority,
            order
            < tuple_(
                item.c.virtual_finish_time + (start - HEAD_START[priority]),
                item.c.seq,
            ),
        )
        .scalar_subquery()
        for priority in Priority
    ]
    return reduce(add, earlier)
