"""Whose turn it is: weighted fair queueing of tenants, those who wait before those who do not.

Each photo gets the moment of its turn when it is accepted, on a clock that counts work and not time
(self-clocked fair queueing: Golestani, INFOCOM 1994). A tenant's photos stand its own work apart,
so that who hands in ten thousand waits for ten thousand, and the next tenant does not.
"""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, func, select, tuple_, update

from photoward.core.jobs import Lane
from photoward.core.ledger.tables import IS_QUEUED, items, tenants

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Column, ColumnElement, Connection, FromClause, Row, Select


LEAST_WORK = 0.15
"""What a photo costs before its pixels, in megapixels: noise costs the same for any size."""

HEAD_START = {Lane.ALONE: 0.0, Lane.BATCH: 500.0}
"""Megapixels that a tenant's photos of no batch may be ahead of everybody's batches; who sends
more than that by itself shares the machine with them."""

LAST = {Lane.ALONE: tenants.c.turn, Lane.BATCH: tenants.c.batch_turn}
"""Where a tenant's last turn is kept."""

_FIRSTS = select(
    *(
        select(func.min(items.c.turn)).where(IS_QUEUED, items.c.lane == lane).scalar_subquery()
        for lane in Lane
    )
)
_LASTS = select(*(func.max(last) for last in LAST.values()))


def take(connection: Connection, tenant: Row[Any], lane: Lane, megapixels: float) -> float:
    """The turn of a tenant's next photo.

    Args:
        connection: of the transaction that adds the photo.
        tenant: its row of ``tenants``, locked.
        lane: of the photo.
        megapixels: of the photo.
    """
    last = LAST[lane]
    begin = max(getattr(tenant, last.name), _now(connection))
    turn: float = begin + (megapixels + LEAST_WORK) / tenant.weight
    connection.execute(update(tenants).where(tenants.c.id == tenant.id).values({last: turn}))
    return turn


def _now(connection: Connection) -> float:
    """The first turn of those that wait; when nothing waits, the last that was given."""
    waiting = [turn for turn in connection.execute(_FIRSTS).one() if turn is not None]
    return float(min(waiting) if waiting else max(connection.execute(_LASTS).one()))


def queue(lane: Lane, *columns: Column[Any]) -> Select[Any]:
    """What is queued of a kind, in the order of turns."""
    lined = select(*columns).where(IS_QUEUED, items.c.lane == lane)
    return lined.order_by(items.c.turn, items.c.seq)


def first(connection: Connection, lines: Iterable[Select[Any]]) -> Row[Any] | None:
    """The row that is next in the lanes' queues, with ``lane``, ``turn`` and ``seq``."""
    ahead = [row for line in lines for row in connection.execute(line.limit(1))]
    return min(ahead, key=lambda row: (row.turn + HEAD_START[row.lane], row.seq), default=None)


def before(asked: FromClause) -> ColumnElement[int]:
    """How many queued photos have turns before that of one in ``asked``, an alias of ``items``."""
    place = tuple_(items.c.turn, items.c.seq)
    start = case(HEAD_START, value=asked.c.lane)
    earlier = [
        select(func.count())
        .select_from(items)
        .where(
            IS_QUEUED, items.c.lane == lane,
            place < tuple_(asked.c.turn + (start - HEAD_START[lane]), asked.c.seq),
        )
        .scalar_subquery()
        for lane in Lane
    ]  # fmt: skip
    return reduce(add, earlier)
