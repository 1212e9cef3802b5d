"""What labels are steered to: chosen once, under the tenant's lock, and kept until its end.

Labels are known here by their digests alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from photoward.core.errors import NotFound
from photoward.core.ledger.selection import locked_tenant
from photoward.core.ledger.tables import targets
from photoward.core.ledger.transactions import Transactions
from photoward.core.targets import Target, choose

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from photoward.core.targets import Sighting


class SqlTargets(Transactions):
    """The ``Targets`` part of the ledger."""

    def target(self, tenant: str, label: str, sighting: Callable[[], Sighting]) -> Target:
        """The label's target; chosen and kept if there is none.

        Raises:
            Unavailable: the database does not answer.
        """
        with self._reading() as connection:
            found = _kept(connection, tenant).get(label)
        if found is not None:
            return found
        seen = sighting()  # takes networks' time, which no transaction should
        with self._writing() as connection:
            try:
                locked_tenant(connection, tenant)
            except NotFound:  # erased meanwhile, as its photos are
                return choose(seen, [])
            own = _kept(connection, tenant)
            if label not in own:
                own[label] = chosen = choose(seen, list(own.values()))
                values = {"home": chosen.home, "anchor": chosen.anchor, "vertex": chosen.vertex}
                row = {"tenant": tenant, "number": len(own), "label": label, **values}
                connection.execute(insert(targets).values(row))
            return own[label]


def _kept(connection: Connection, tenant: str) -> dict[str, Target]:
    """All of the tenant's targets by label, the latest last."""
    query = select(targets).where(targets.c.tenant == tenant).order_by(targets.c.number)
    return {
        row.label: Target(row.home, row.anchor, row.vertex) for row in connection.execute(query)
    }
