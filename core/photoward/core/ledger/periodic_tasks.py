"""Tasks that one of all processes runs once in a period."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from photoward.core.ledger.database import Section
from photoward.core.ledger.engine import now
from photoward.core.ledger.queries import inserting
from photoward.core.ledger.tables import periodic_tasks

if TYPE_CHECKING:
    from datetime import timedelta


class PeriodicTasks(Section):
    """When each task is due next."""

    def claim(self, name: str, period: timedelta) -> bool:
        """Whether the caller is to run a task; if so, no other process is for ``period``."""
        with self._database.read_transaction() as connection:  # mostly it is not due: spare writers
            later = (periodic_tasks.c.name == name, periodic_tasks.c.due_at > now(connection))
            query = select(periodic_tasks.c.name).where(*later)
            if connection.execute(query).one_or_none() is not None:
                return False
        with self._database.transaction() as connection:
            moment = now(connection)
            values = {"name": name, "due_at": moment + period}
            statement = (
                inserting(connection, periodic_tasks)
                .values(values)
                .on_conflict_do_update(
                    index_elements=[periodic_tasks.c.name],
                    set_={"due_at": moment + period},
                    where=periodic_tasks.c.due_at <= moment,
                )
                .returning(periodic_tasks.c.name)
            )
            return connection.execute(statement).one_or_none() is not None
