"""The installation as its operator sees it; everything else of the ledger concerns one tenant.

Items are found tenant by tenant: the index on their time begins with the tenant.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, and_, case, cast, extract, func, or_, select

from photoward.core.jobs import FINAL_STATES, QUOTA_WINDOW, Priority, QuotaUsage, State
from photoward.core.ledger.database import Section
from photoward.core.ledger.engine import now
from photoward.core.ledger.tables import IS_LEASED, IS_QUEUED, api_keys, items, tenants, workers
from photoward.core.overview import (
    HOURS,
    FailureCount,
    HourOfItems,
    Overview,
    QueueLength,
    TenantOverview,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection, Row

HOUR = timedelta(hours=1)
RECENT = timedelta(minutes=5)
"""How far back the rate looks."""


class Installation(Section):
    """All tenants together, and each of them."""

    def overview(self, heartbeat: timedelta) -> Overview:
        """The queue, and what became of the photos of the last hours.

        Args:
            heartbeat: a worker is alive if it was heard of within that time.
        """
        with self._database.read_transaction() as connection:
            moment = now(connection)
            first = moment.replace(minute=0, second=0, microsecond=0) - (HOURS - 1) * HOUR
            found = _recent(connection, first, moment - RECENT)
            alive = select(func.count()).where(workers.c.seen_at > moment - heartbeat)
            leased = select(func.count()).select_from(items).where(IS_LEASED)
            return Overview(
                queue=_queue(connection),
                processing=connection.execute(leased).scalar_one(),
                workers=connection.execute(alive).scalar_one(),
                finished_per_minute=sum(row.ended for row in found) * timedelta(minutes=1) / RECENT,
                hours=_hours(found, first),
                failures=_failures(found),
            )

    def list_tenants(self, *, after: str | None, limit: int) -> list[TenantOverview]:
        """Up to ``limit`` tenants in the order of their names, past ``after`` (None: the first)."""
        query = select(tenants).order_by(tenants.c.id).limit(limit)
        if after is not None:
            query = query.where(tenants.c.id > after)
        with self._database.read_transaction() as connection:
            found = connection.execute(query).all()
            names, moment = [row.id for row in found], now(connection)
            keys = _count_keys(connection, names, moment)
            waiting = _waiting(connection, names)
            counts, used = _usage(connection, names, moment - QUOTA_WINDOW)
            return [
                TenantOverview(
                    id=row.id,
                    weight=row.weight,
                    usage=QuotaUsage(used[row.id], row.quota_megapixels),
                    active_keys=keys.get(row.id, 0),
                    queued=waiting.get(row.id, QueueLength()),
                    counts=counts[row.id],
                )
                for row in found
            ]


def _queue(connection: Connection) -> dict[Priority, QueueLength]:
    query = select(items.c.priority, *_LENGTH).where(IS_QUEUED).group_by(items.c.priority)
    found = {row[0]: _length(row) for row in connection.execute(query)}
    return {priority: found.get(priority, QueueLength()) for priority in Priority}


_LENGTH = (
    func.count().label("items"),
    func.sum(items.c.megapixels).label("megapixels"),
    func.min(items.c.created_at).label("oldest"),
)


def _length(row: Row[Any]) -> QueueLength:
    return QueueLength(row.items, float(row.megapixels), row.oldest)


def _recent(connection: Connection, first: datetime, lately: datetime) -> Sequence[Row[Any]]:
    """Items since ``first`` by hour, state and code; ``ended``: of these, since ``lately``."""
    hour = cast(extract("epoch", items.c.created_at), BigInteger) // int(HOUR.total_seconds())
    ends = and_(items.c.state.in_(FINAL_STATES), items.c.updated_at > lately)
    columns = (
        hour.label("hour"),
        items.c.state,
        items.c.error_code,
        func.count().label("items"),
        func.sum(items.c.megapixels).label("megapixels"),
        func.max(items.c.updated_at).label("last"),
        func.sum(case((ends, 1), else_=0)).label("ended"),
    )
    of_each = items.c.tenant.in_(select(tenants.c.id))
    query = select(*columns).where(of_each, items.c.created_at >= first)
    grouped = query.group_by(hour, items.c.state, items.c.error_code)
    return connection.execute(grouped).all()


def _hours(found: Iterable[Row[Any]], first: datetime) -> list[HourOfItems]:
    counts: defaultdict[datetime, Counter[State]] = defaultdict(Counter)
    megapixels: Counter[datetime] = Counter()
    for row in found:
        start = datetime.fromtimestamp(row.hour * HOUR.total_seconds(), UTC)
        counts[start][State(row.state)] += row.items
        megapixels[start] += row.megapixels
    starts = [first + number * HOUR for number in range(HOURS)]
    return [HourOfItems(start, megapixels[start], counts[start]) for start in starts]


def _failures(found: Iterable[Row[Any]]) -> list[FailureCount]:
    counts: Counter[str] = Counter()
    last: dict[str, datetime] = {}
    for row in found:
        if row.state == State.FAILED:
            code = row.error_code or "internal_error"
            counts[code] += row.items
            last[code] = max(row.last, last.get(code, row.last))
    return [FailureCount(code, count, last[code]) for code, count in counts.most_common()]


def _count_keys(connection: Connection, names: list[str], moment: datetime) -> dict[str, int]:
    active = or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > moment)
    query = select(api_keys.c.tenant, func.count()).where(api_keys.c.tenant.in_(names), active)
    return {row[0]: row[1] for row in connection.execute(query.group_by(api_keys.c.tenant))}


def _waiting(connection: Connection, names: list[str]) -> dict[str, QueueLength]:
    query = select(items.c.tenant, *_LENGTH).where(IS_QUEUED, items.c.tenant.in_(names))
    return {row[0]: _length(row) for row in connection.execute(query.group_by(items.c.tenant))}


def _usage(
    connection: Connection, names: list[str], since: datetime
) -> tuple[defaultdict[str, dict[State, int]], Counter[str]]:
    """By tenant: its items since then by state, and their megapixels."""
    columns = items.c.tenant, items.c.state, func.count(), func.sum(items.c.megapixels)
    theirs = items.c.tenant.in_(names), items.c.created_at > since
    counts: defaultdict[str, dict[State, int]] = defaultdict(dict)
    used: Counter[str] = Counter()
    query = select(*columns).where(*theirs).group_by(items.c.tenant, items.c.state)
    for tenant, state, count, megapixels in connection.execute(query):
        counts[tenant][State(state)] = count
        used[tenant] += megapixels
    return counts, used
