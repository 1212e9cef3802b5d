"""The ledger on SQL: one adapter for SQLite and PostgreSQL.

Every change locks the rows that it finds in the expected state, oldest first, and then writes
them: a compare-and-set on both databases (SQLite's BEGIN IMMEDIATE is one lock for all). No two
can deadlock, as all lock in one order: tenant, items, arrivals, webhooks, batches, uploads; who
may skip a locked row waits for none. Knows nothing of connections, pragmas or migrations.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select, update

from photoward.core.audit import Deed
from photoward.core.errors import BadInput
from photoward.core.failpoints import ANSWER_LOST
from photoward.core.jobs import FINAL, MAX_ATTEMPTS, Failure, Item, Lane, State, Waiting
from photoward.core.ledger import rows, turns, uploads
from photoward.core.ledger.arrivals import SqlArrivals, forget
from photoward.core.ledger.audit import SqlAudit, record
from photoward.core.ledger.batches import SqlBatches
from photoward.core.ledger.engine import clock, now
from photoward.core.ledger.keyring import SqlKeyring, require_room
from photoward.core.ledger.outbox import SqlOutbox, announce, near_rest
from photoward.core.ledger.selection import (
    OWN,
    STANDING,
    ensure_tenant,
    held,
    hidden,
    in_parts,
    inserting,
    locked_tenant,
    next_batch,
    overdue,
    repeated,
    the_one,
    unleased,
    write,
    write_each,
)
from photoward.core.ledger.tables import IS_QUEUED, duties, items, tenants
from photoward.core.ledger.targets import SqlTargets
from photoward.core.ledger.uploads import SqlUploads
from photoward.core.ledger.workers import SqlWorkers
from photoward.core.ports import NO_LIMITS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from photoward.core.jobs import Options, Result, Source, Stage


class SqlLedger(
    SqlKeyring, SqlBatches, SqlArrivals, SqlOutbox, SqlAudit, SqlWorkers, SqlUploads, SqlTargets
):  # fmt: skip
    """The ``Ledger`` port on an engine whose tables are there.

    Numbers that JSON cannot hold (an infinite PSNR) come back from ``measured`` as None.
    """

    def __repr__(self) -> str:
        return f"SqlLedger({self._engine.dialect.name})"

    def tenant_salt(self, tenant: str) -> bytes:
        """See the port."""
        query = select(tenants.c.salt).where(tenants.c.id == tenant)
        salt: bytes | None = self._scalar(query)
        if salt is None:
            with self._writing() as connection:
                ensure_tenant(connection, tenant)
                salt = connection.execute(query).scalar_one()
        return salt

    def add(  # noqa: PLR0913  # what makes an item
        self, item_id: str, tenant: str, options: Options, source: Source, batch_key: str, *,
        batch: str | None = None, request: str | None = None, trace: str | None = None,
        upload: str | None = None,
    ) -> Item:  # fmt: skip
        """See the port.

        Raises:
            BadInput: see the port.
            Conflict: see the port.
            NotFound: see the port.
            Overloaded: see the port.
            ValueError: there is an item of this id already.
        """
        with self._writing(ANSWER_LOST) as connection:
            owner, megapixels = locked_tenant(connection, tenant), source.megapixels
            before = repeated(connection, items, tenant, request)
            if upload is not None:
                uploads.use(connection, tenant, upload, before.id if before else item_id)
            if before is not None:
                return _same(rows.item(before), options, source, batch)
            require_room(connection, owner, megapixels)
            lane = Lane.ALONE if batch is None else Lane.BATCH
            turn = turns.take(connection, owner, lane, megapixels)
            moment = now(connection)
            fresh = Item(
                item_id, tenant, State.QUEUED, options, source, batch_key, moment, moment,
                batch=batch, trace=trace,
            )  # fmt: skip
            place = {"lane": lane, "turn": turn, "request": request}
            statement = insert(items).values(rows.queued(fresh) | place).returning(items)
            return rows.item(connection.execute(statement).one())

    def get(self, tenant: str, item_id: str) -> Item:
        """See the port."""
        return rows.item(the_one(self._row(OWN, tenant=tenant, item=item_id)))

    def standing(self, tenant: str, item_id: str) -> tuple[Item, int | None]:
        """See the port."""
        row = the_one(self._row(STANDING, tenant=tenant, item=item_id))
        return rows.item(row), row.before

    def claim(
        self, *, limit: int, max_megapixels: float, lease: timedelta,
        limits: Mapping[str, int] = NO_LIMITS,
    ) -> list[Item]:  # fmt: skip
        """See the port."""
        with self._writing() as connection:
            chosen = next_batch(connection, limit, limits, max_megapixels)
            if not chosen:
                return []
            values = {
                "state": State.LEASED,
                "lease": secrets.token_hex(16),
                "lease_until": clock(connection, lease),
                "attempts": items.c.attempts + 1,
                "updated_at": clock(connection),
            }
            claim = update(items).where(items.c.seq.in_(chosen)).values(values).returning(items)
            claimed = sorted(connection.execute(claim), key=lambda row: (row.turn, row.seq))
        # Read when it is leased: an odd row costs this attempt, and does not stay the first.
        return [rows.item(row) for row in claimed]

    def renew(self, token: str, lease: timedelta, stage: Stage | None = None) -> int:
        """See the port."""
        with self._writing() as connection:
            mine = held(connection, token)
            values: dict[str, Any] = {"lease_until": clock(connection, lease)}
            write(connection, mine.values(), values | ({"stage": stage} if stage else {}))
            return len(mine)

    def store(self, token: str, results: Sequence[Result]) -> set[str]:
        """See the port. ``stored`` and ``done`` fall into one transaction: nobody sees between."""
        return self._finish(token, {result.item_id: rows.done(result) for result in results})

    def fail(self, token: str, failures: Sequence[Failure]) -> set[str]:
        """See the port."""
        return self._finish(token, {failure.item_id: rows.failed(failure) for failure in failures})

    def release(self, token: str, *, counted: bool = False) -> int:
        """See the port."""
        with self._writing() as connection:
            mine = held(connection, token)
            values = unleased(State.QUEUED) | {"attempts": items.c.attempts - int(not counted)}
            write(connection, mine.values(), values)
            return len(mine)

    def expire(self) -> int:
        """See the port."""
        lost = rows.failed(Failure("", "worker_lost", f"It outlived {MAX_ATTEMPTS} workers."))
        with self._writing() as connection:
            late = overdue(connection)
            spent = [seq for seq, attempts in late.items() if attempts >= MAX_ATTEMPTS]
            write(connection, late.keys() - set(spent), unleased(State.QUEUED))
            write(connection, spent, unleased(State.FAILED) | lost)
            announce(connection, spent)
            return len(late)

    def cancel(self, tenant: str, item_id: str, *, asked: bool = True) -> Item:
        """See the port. Of a hidden item no label, file name, digest or measurement is kept."""
        with self._writing() as connection:
            mine = {"tenant": tenant, "item": item_id}
            query = OWN.with_for_update()
            old = rows.item(the_one(connection.execute(query, mine).one_or_none()))
            values = hidden(old, now(connection))
            connection.execute(update(items).where(items.c.id == item_id).values(values))
            forget(connection, [item_id])
            if old.batch is not None and old.state not in FINAL:
                near_rest(connection, [old.batch])
            if asked:
                record(connection, tenant, Deed.IMAGE_DELETED, item_id)
            return old

    def depth(self) -> dict[State, int]:
        """See the port."""
        query = select(items.c.state, func.count()).where(items.c.hidden_at.is_(None))
        with self._reading() as connection:
            found = connection.execute(query.group_by(items.c.state))
            return {State(state): count for state, count in found}

    def waiting(self) -> dict[Lane, Waiting]:
        """See the port."""
        query = select(items.c.lane, func.count(), func.sum(items.c.megapixels)).where(IS_QUEUED)
        with self._reading() as connection:
            found = connection.execute(query.group_by(items.c.lane))
            told = {Lane(lane): Waiting(count, float(total)) for lane, count, total in found}
        return {lane: told.get(lane, Waiting()) for lane in Lane}

    def oldest_queued(self) -> str | None:
        """See the port."""
        columns = (items.c.id, items.c.lane, items.c.turn, items.c.seq)
        with self._reading() as connection:
            row = turns.first(connection, [turns.queue(lane, *columns) for lane in Lane])
        return None if row is None else str(row.id)

    def states(self, item_ids: Sequence[str]) -> dict[str, State]:
        """See the port."""
        found: dict[str, State] = {}
        query = select(items.c.id, items.c.state).where(items.c.hidden_at.is_(None))
        with self._reading() as connection:
            for some in in_parts(item_ids):
                rows_found = connection.execute(query.where(items.c.id.in_(some)))
                found.update({item_id: State(state) for item_id, state in rows_found})
        return found

    def take_duty(self, name: str, period: timedelta) -> bool:
        """See the port."""
        with self._reading() as connection:  # mostly it is not due, and writers would wait
            later = (duties.c.name == name, duties.c.due_at > now(connection))
            if connection.execute(select(duties.c.name).where(*later)).one_or_none() is not None:
                return False
        with self._writing() as connection:
            moment = now(connection)
            mine = inserting(connection, duties).values(name=name, due_at=moment + period)
            taken = mine.on_conflict_do_update(
                index_elements=[duties.c.name], set_={"due_at": moment + period},
                where=duties.c.due_at <= moment,
            )  # fmt: skip
            found = connection.execute(taken.returning(duties.c.name))
            return found.one_or_none() is not None

    def check(self) -> None:
        """See the port."""
        self._scalar(select(items.c.seq).limit(1))

    def close(self) -> None:
        """See the port."""
        self._engine.dispose()

    def _finish(self, token: str, outcomes: dict[str, dict[str, Any]]) -> set[str]:
        with self._writing() as connection:
            mine = held(connection, token)
            won = outcomes.keys() & mine.keys()
            changes = {mine[item_id]: outcomes[item_id] for item_id in won}
            write_each(
                connection, {seq: unleased(new["state"]) | new for seq, new in changes.items()}
            )
            announce(connection, changes)
            return won


def _same(before: Item, options: Options, source: Source, batch: str | None) -> Item:
    """The item of a request that is repeated. Raises BadInput: it was another request."""
    asked = (options, source.sha256, batch)
    if (before.options, before.source.sha256, before.batch) != asked:
        raise BadInput(
            "request_differs", "The photo, its options or its batch differ from the first request."
        )
    return before
