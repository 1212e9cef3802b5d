"""Which queued items are claimed together, and which leased ones are still held."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from photoward.core.jobs import MAX_ATTEMPTS, Priority
from photoward.core.ledger import fair_queue
from photoward.core.ledger.engine import now
from photoward.core.ledger.tables import IS_LEASED, items

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

_SHRINKING = 16
"""Factor by which groups shrink with each lost worker."""


def next_group(
    connection: Connection, limit: int, limits: Mapping[str, int], max_megapixels: float
) -> list[int]:
    """Lock the rows of the next claim: the first that is not locked, and others of its group key.

    All are of one priority: an interactive item would take longer together with bulk ones. Items
    that have lost a worker are claimed in smaller groups, and alone for the last attempt: one of
    them may be what killed the workers, and must not take others along.
    """
    columns = (
        items.c.seq,
        items.c.priority,
        items.c.virtual_finish_time,
        items.c.group_key,
        items.c.megapixels,
        items.c.attempts,
    )
    free = {
        priority: fair_queue.queue(priority, *columns).with_for_update(skip_locked=True)
        for priority in Priority
    }
    first = fair_queue.first(connection, free.values())
    if first is None:
        return []
    limit = limits.get(first.group_key, limit)
    if limit < 1:
        return []
    alike = (items.c.group_key == first.group_key, items.c.attempts == first.attempts)
    others = free[first.priority].where(*alike, items.c.seq != first.seq)
    limit = reduced(limit, first.attempts)
    chosen, total = [first.seq], first.megapixels
    for row in connection.execute(others.limit(limit - 1)):
        total += row.megapixels
        if total > max_megapixels:
            break
        chosen.append(row.seq)
    return chosen


def reduced(limit: int, attempts: int) -> int:
    """How many items that were claimed ``attempts`` times before may be claimed together."""
    return 1 if attempts >= MAX_ATTEMPTS - 1 else max(limit // _SHRINKING**attempts, 1)


def held(connection: Connection, token: str) -> dict[str, int]:
    """Lock what is still leased under the token: id → seq."""
    query = select(items.c.id, items.c.seq).where(items.c.lease_token == token, IS_LEASED)
    found = connection.execute(query.order_by(items.c.seq).with_for_update())
    return {row.id: row.seq for row in found}


def overdue(connection: Connection) -> dict[int, int]:
    """Lock the items whose lease has run out: seq → attempts."""
    query = select(items.c.seq, items.c.attempts).where(
        IS_LEASED, items.c.lease_expires_at <= now(connection)
    )
    locking = query.order_by(items.c.seq).with_for_update(skip_locked=True)
    return {row.seq: row.attempts for row in connection.execute(locking)}
