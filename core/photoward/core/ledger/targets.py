"""Targets of labels: chosen once, under the tenant's lock, and kept until it is erased.

Labels are stored as digests only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from photoward.core.errors import NotFound
from photoward.core.ledger.database import Section
from photoward.core.ledger.queries import locked_tenant
from photoward.core.ledger.tables import label_targets
from photoward.core.targets import Target, choose

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from photoward.core.targets import Sighting


class LabelTargets(Section):
    """The targets of all tenants' labels; implements ``core.targets.Targets``."""

    def get_or_choose(self, tenant: str, label: str, sighting: Callable[[], Sighting]) -> Target:
        """The label's target; chosen and stored if there is none."""
        with self._database.read_transaction() as connection:
            found = _stored(connection, tenant).get(label)
        if found is not None:
            return found
        seen = sighting()  # runs networks, which no transaction should wait for
        with self._database.transaction() as connection:
            try:
                locked_tenant(connection, tenant)
            except NotFound:  # erased meanwhile, as its photos are
                return choose(seen, [])
            own = _stored(connection, tenant)
            if label not in own:
                own[label] = chosen = choose(seen, list(own.values()))
                row = {
                    "tenant": tenant,
                    "number": len(own),
                    "label_digest": label,
                    "home": chosen.home,
                    "anchor": chosen.anchor,
                    "vertex": chosen.vertex,
                }
                connection.execute(insert(label_targets).values(row))
            return own[label]


def _stored(connection: Connection, tenant: str) -> dict[str, Target]:
    """All of the tenant's targets by label, the latest last."""
    mine = select(label_targets).where(label_targets.c.tenant == tenant)
    return {
        row.label_digest: Target(row.home, row.anchor, row.vertex)
        for row in connection.execute(mine.order_by(label_targets.c.number))
    }
