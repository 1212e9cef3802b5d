"""Batches: items that were handed in as one, counted and listed together."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select

from photoward.core.audit import Deed
from photoward.core.errors import BadInput
from photoward.core.jobs import FINAL, Batch, State
from photoward.core.ledger import rows
from photoward.core.ledger.arrivals import forget
from photoward.core.ledger.audit import record
from photoward.core.ledger.engine import now
from photoward.core.ledger.outbox import announce
from photoward.core.ledger.selection import (
    locked_tenant,
    repeated,
    states_of,
    the_batch,
    unleased,
    write,
)
from photoward.core.ledger.tables import batches, items
from photoward.core.ledger.transactions import Transactions

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy import Connection

    from photoward.core.jobs import Item

RECENT = timedelta(seconds=30)
"""How far back the rate of a batch looks."""


class SqlBatches(Transactions):
    """The ``Batches`` part of the ledger; see the port."""

    def add_batch(  # what makes a batch
        self, batch_id: str, tenant: str, name: str, options: Mapping[str, Any], *,
        request: str | None = None,
    ) -> Batch:  # fmt: skip
        """See the port."""
        with self._writing() as connection:
            locked_tenant(connection, tenant)
            before = repeated(connection, batches, tenant, request)
            if before is not None:
                if (before.name, before.options) != (name, json.loads(json.dumps(options))):
                    raise BadInput(
                        "request_differs",
                        "The name or options of the batch differ from the first request.",
                    )
                return _shown(connection, tenant, before.id)
            values = {
                "id": batch_id, "tenant": tenant, "name": name, "options": dict(options),
                "created_at": now(connection), "request": request,
            }  # fmt: skip
            connection.execute(insert(batches).values(values))
            return _shown(connection, tenant, batch_id)

    def batch(self, tenant: str, batch_id: str) -> Batch:
        """See the port."""
        with self._reading() as connection:
            return _shown(connection, tenant, batch_id)

    def batch_options(self, tenant: str, batch_id: str) -> dict[str, Any]:
        """See the port."""
        with self._reading() as connection:
            return dict(the_batch(connection, tenant, batch_id).options)

    def batch_items(
        self,
        tenant: str,
        batch_id: str,
        *,
        after: int,
        limit: int,
        states: Collection[State] | None = None,
    ) -> list[tuple[int, Item]]:
        """See the port."""
        query = select(items).where(
            items.c.batch == batch_id, items.c.tenant == tenant, items.c.seq > after,
            items.c.hidden_at.is_(None),
        )  # fmt: skip
        if states is not None:
            query = query.where(items.c.state.in_(states))
        with self._reading() as connection:
            the_batch(connection, tenant, batch_id)
            found = connection.execute(query.order_by(items.c.seq).limit(limit))
            return [(row.seq, rows.item(row)) for row in found]

    def cancel_batch(self, tenant: str, batch_id: str) -> list[Item]:
        """See the port."""
        with self._writing() as connection:
            locked_tenant(connection, tenant)
            the_batch(connection, tenant, batch_id)
            query = select(items).where(
                items.c.batch == batch_id, items.c.tenant == tenant,
                items.c.state.not_in(FINAL), items.c.hidden_at.is_(None),
            )  # fmt: skip
            found = connection.execute(query.order_by(items.c.seq).with_for_update()).all()
            write(connection, [row.seq for row in found], unleased(State.CANCELLED))
            forget(connection, [row.id for row in found if row.state == State.RECEIVED])
            announce(connection, [row.seq for row in found])
            record(connection, tenant, Deed.BATCH_CANCELLED, batch_id, f"{len(found)} photos")
            return [rows.item(row) for row in found]


def _shown(connection: Connection, tenant: str, batch_id: str) -> Batch:
    row = the_batch(connection, tenant, batch_id)
    ended = select(func.count()).where(
        items.c.batch == batch_id, items.c.hidden_at.is_(None), items.c.state.in_(FINAL),
        items.c.updated_at > now(connection) - RECENT,
    )  # fmt: skip
    recent = connection.execute(ended).scalar_one()
    return Batch(
        row.id, row.tenant, row.name, dict(row.options), row.created_at,
        states_of(connection, batch_id),
        recent / RECENT.total_seconds(),
    )  # fmt: skip
