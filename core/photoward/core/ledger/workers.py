"""Which workers are alive."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, func, insert, or_, select

from photoward.core.ledger.database import Section
from photoward.core.ledger.engine import now
from photoward.core.ledger.tables import workers

FORGOTTEN = timedelta(days=1)
"""After so long without a heartbeat the row of a worker that did not sign off is deleted."""


class Workers(Section):
    """Worker processes and their heartbeats."""

    def record_heartbeat(self, worker_id: str) -> None:
        """Note that a worker is alive."""
        with self._database.transaction() as connection:
            moment = now(connection)
            old = or_(workers.c.id == worker_id, workers.c.seen_at < moment - FORGOTTEN)
            connection.execute(delete(workers).where(old))
            connection.execute(insert(workers).values(id=worker_id, seen_at=moment))

    def remove(self, worker_id: str) -> None:
        """Note that a worker has ended."""
        with self._database.transaction() as connection:
            connection.execute(delete(workers).where(workers.c.id == worker_id))

    def since_heartbeat(self) -> timedelta | None:
        """Time since the last heartbeat of any worker; None: there is no worker."""
        with self._database.read_transaction() as connection:
            seen = connection.execute(select(func.max(workers.c.seen_at))).scalar_one()
            return None if seen is None else now(connection) - seen
