"""Batches: items that were submitted together, counted and listed."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, func, insert, literal, select, tuple_, update

from photoward.core.audit import AuditAction
from photoward.core.errors import BadInput
from photoward.core.jobs import FINAL_STATES, Batch, BatchDefaults, Details, State
from photoward.core.ledger import rows
from photoward.core.ledger.audit import record
from photoward.core.ledger.database import Section
from photoward.core.ledger.engine import now
from photoward.core.ledger.fetches import forget
from photoward.core.ledger.queries import (
    count_states,
    locked_tenant,
    open_batch,
    repeated,
    the_batch,
    unleased,
    write,
)
from photoward.core.ledger.tables import batches, items
from photoward.core.ledger.webhooks import ensure_callbacks, note_ended, schedule_batch_check

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import Connection, Row

    from photoward.core.jobs import Item

NO_DETAILS = Details()
RECENT = timedelta(seconds=30)
"""How far back the rate of a batch looks."""


class Batches(Section):
    """All batches."""

    def add(  # noqa: PLR0913  # one argument for each property of the new batch
        self,
        batch_id: str,
        tenant: str,
        name: str,
        options: Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        details: Details = NO_DETAILS,
    ) -> Batch:
        """Add a batch without items; ``idempotency_key`` and ``details`` as in ``Items.add``.

        Raises:
            BadInput: ``request_differs``: the earlier request was another one.
        """
        with self._database.transaction() as connection:
            locked_tenant(connection, tenant)
            before = repeated(connection, batches, tenant, idempotency_key)
            if before is not None:
                known = (before.name, before.options, rows.details(before))
                if known != (name, json.loads(json.dumps(options)), details):
                    raise BadInput(
                        "request_differs", "The batch differs from that of the first request."
                    )
                return _counted(connection, [before])[0]
            if details.callback is not None:
                ensure_callbacks(connection, tenant)
            values = {
                "id": batch_id,
                "tenant": tenant,
                "name": name,
                "options": dict(options),
                "created_at": now(connection),
                "idempotency_key": idempotency_key,
                **rows.described(details),
            }
            connection.execute(insert(batches).values(values))
            return _batch(connection, tenant, batch_id)

    def get(self, tenant: str, batch_id: str) -> Batch:
        """The tenant's batch with its counts. Raises NotFound."""
        with self._database.read_transaction() as connection:
            return _batch(connection, tenant, batch_id)

    def list_newest(self, tenant: str, *, before: str | None, limit: int) -> list[Batch]:
        """Up to ``limit`` of the tenant's batches with their counts, newest first.

        Args:
            tenant: owner.
            before: id of the last batch of the page before; None for the first page.
            limit: most batches.

        Raises:
            NotFound: there is no batch ``before``.
        """
        query = select(batches).where(batches.c.tenant == tenant)
        order = tuple_(batches.c.created_at, batches.c.id)
        with self._database.read_transaction() as connection:
            if before is not None:
                last = the_batch(connection, tenant, before)
                moment = literal(last.created_at, batches.c.created_at.type)
                query = query.where(order < tuple_(moment, literal(last.id)))
            newest = query.order_by(batches.c.created_at.desc(), batches.c.id.desc())
            return _counted(connection, connection.execute(newest.limit(limit)).all())

    def get_options(self, tenant: str, batch_id: str) -> dict[str, Any]:
        """The default options of its items; counts nothing. Raises NotFound."""
        with self._database.read_transaction() as connection:
            return dict(the_batch(connection, tenant, batch_id).options)

    def get_defaults(self, tenant: str, batch_id: str) -> BatchDefaults:
        """What holds for a photo that is to be added to it.

        Raises:
            Conflict: ``batch_closed``.
            NotFound: no such batch.
        """
        with self._database.read_transaction() as connection:
            row = open_batch(connection, tenant, batch_id)
            return BatchDefaults(dict(row.options), row.retention_s)

    def close(self, tenant: str, batch_id: str) -> Batch:
        """Add nothing more to it; closed already, it stays so. Raises NotFound."""
        with self._database.transaction() as connection:
            locked_tenant(connection, tenant)  # what is being added comes before or after
            row = the_batch(connection, tenant, batch_id)
            if row.closed_at is None:
                closed = update(batches).where(batches.c.id == batch_id)
                connection.execute(closed.values(closed_at=now(connection)))
                schedule_batch_check(connection, [batch_id])
            return _batch(connection, tenant, batch_id)

    def count_refused(self, tenant: str, batch_id: str, count: int) -> None:
        """Count photos that were refused; of a batch that does not exist, none."""
        mine = batches.c.id == batch_id, batches.c.tenant == tenant
        if count:
            with self._database.transaction() as connection:
                more = update(batches).where(*mine)
                connection.execute(more.values(refused=batches.c.refused + count))

    def list_items(
        self,
        tenant: str,
        batch_id: str,
        *,
        after: int,
        limit: int,
        states: Collection[State] | None = None,
    ) -> list[tuple[int, Item]]:
        """Up to ``limit`` of its items with their ``seq``, in the order of submission.

        Args:
            tenant: owner.
            batch_id: of the batch.
            after: ``seq`` of the last item of the page before; 0 for the first page.
            limit: most items.
            states: only items in one of them.
        """
        query = select(items).where(
            items.c.batch_id == batch_id,
            items.c.tenant == tenant,
            items.c.seq > after,
            items.c.deleted_at.is_(None),
        )
        if states is not None:
            query = query.where(items.c.state.in_(states))
        with self._database.read_transaction() as connection:
            the_batch(connection, tenant, batch_id)
            found = connection.execute(query.order_by(items.c.seq).limit(limit))
            return [(row.seq, rows.item(row)) for row in found]

    def cancel(self, tenant: str, batch_id: str) -> list[Item]:
        """Cancel its items that have not ended; those items as they were. Raises NotFound."""
        with self._database.transaction() as connection:
            locked_tenant(connection, tenant)
            the_batch(connection, tenant, batch_id)
            query = select(items).where(
                items.c.batch_id == batch_id,
                items.c.tenant == tenant,
                items.c.state.not_in(FINAL_STATES),
                items.c.deleted_at.is_(None),
            )
            found = connection.execute(query.order_by(items.c.seq).with_for_update()).all()
            ended = [row.seq for row in found]
            write(connection, ended, unleased(State.CANCELLED))
            forget(connection, [row.id for row in found if row.state == State.RECEIVED])
            note_ended(connection, ended)
            detail = f"{len(found)} photos"
            record(connection, tenant, AuditAction.BATCH_CANCEL, batch_id, detail)
            return [rows.item(row) for row in found]


def _batch(connection: Connection, tenant: str, batch_id: str) -> Batch:
    return _counted(connection, [the_batch(connection, tenant, batch_id)])[0]


def _counted(connection: Connection, found: Sequence[Row[Any]]) -> list[Batch]:
    """Batches of their rows, with their counts."""
    ids = [row.id for row in found]
    counts, recent = count_states(connection, ids), _count_recent(connection, ids)
    return [
        Batch(
            id=row.id,
            tenant=row.tenant,
            name=row.name,
            options=dict(row.options),
            created_at=row.created_at,
            counts=counts.get(row.id, {}),
            rate_per_s=recent.get(row.id, 0) / RECENT.total_seconds(),
            details=rows.details(row),
            refused=row.refused,
            closed_at=row.closed_at,
        )
        for row in found
    ]


def _count_recent(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    """How many items of each batch have ended of late (absent: none)."""
    # The state is no condition: SQLite would look through all items that have ended.
    has_ended = case((items.c.state.in_(FINAL_STATES), 1), else_=0)
    ended = select(items.c.batch_id, func.sum(has_ended)).where(
        items.c.batch_id.in_(ids),
        items.c.deleted_at.is_(None),
        items.c.updated_at > now(connection) - RECENT,
    )
    return {row[0]: row[1] for row in connection.execute(ended.group_by(items.c.batch_id))}
