"""When a worker was last heard of."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, func, insert, or_, select

from photoward.core.ledger.engine import now
from photoward.core.ledger.tables import workers
from photoward.core.ledger.transactions import Transactions

FORGOTTEN = timedelta(days=1)
"""After so long a silence a worker that did not take its leave is as if it had never been."""


class SqlWorkers(Transactions):
    """The ``Workers`` part of the ledger."""

    def beat(self, worker_id: str) -> None:
        """See the port."""
        with self._writing() as connection:
            moment = now(connection)
            old = or_(workers.c.id == worker_id, workers.c.seen_at < moment - FORGOTTEN)
            connection.execute(delete(workers).where(old))
            connection.execute(insert(workers).values(id=worker_id, seen_at=moment))

    def leave(self, worker_id: str) -> None:
        """See the port."""
        with self._writing() as connection:
            connection.execute(delete(workers).where(workers.c.id == worker_id))

    def last_beat(self) -> timedelta | None:
        """See the port."""
        with self._reading() as connection:
            seen = connection.execute(select(func.max(workers.c.seen_at))).scalar_one()
            return None if seen is None else now(connection) - seen
