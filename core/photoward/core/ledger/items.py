"""Items: the photos that are queued, claimed by workers and finished."""

from __future__ import annotations

import secrets
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select, update

from photoward.core.audit import AuditAction
from photoward.core.errors import BadInput, NotFound
from photoward.core.failpoints import ANSWER_LOST
from photoward.core.jobs import (
    FINAL_STATES,
    MAX_ATTEMPTS,
    Details,
    Failure,
    Item,
    Priority,
    QueuedWork,
    State,
)
from photoward.core.ledger import fair_queue, rows, upload_tokens, uploads
from photoward.core.ledger.audit import record
from photoward.core.ledger.claims import held, next_group, overdue
from photoward.core.ledger.database import Section
from photoward.core.ledger.engine import clock, now
from photoward.core.ledger.fetches import forget
from photoward.core.ledger.outputs import forget_outputs, record_outputs
from photoward.core.ledger.proofs import forget_sketches, record_proofs
from photoward.core.ledger.queries import (
    OWN_ITEM,
    OWN_ITEM_WITH_POSITION,
    chunks,
    deletion,
    locked_tenant,
    open_batch,
    repeated,
    the_one,
    unleased,
    write,
    write_each,
)
from photoward.core.ledger.tables import IS_QUEUED, items
from photoward.core.ledger.tenants import require_quota
from photoward.core.ledger.webhooks import (
    ensure_callbacks,
    note_ended,
    schedule_batch_check,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import timedelta

    from sqlalchemy import Row

    from photoward.core.jobs import Options, Result, Source, Stage

NO_DETAILS = Details()
NO_LIMITS: Mapping[str, int] = MappingProxyType({})
NO_RESULTS: Mapping[str, Result] = MappingProxyType({})


class Items(Section):
    """All items; each transition between states is a compare-and-set.

    Figures that JSON cannot hold (an infinite PSNR) come back from ``measured`` as None.
    """

    def add(  # noqa: PLR0913  # one argument for each property of the new item
        self,
        item_id: str,
        tenant: str,
        options: Options,
        source: Source,
        group_key: str,
        *,
        batch_id: str | None = None,
        idempotency_key: str | None = None,
        traceparent: str | None = None,
        upload_id: str | None = None,
        details: Details = NO_DETAILS,
        replaces: bool = False,
    ) -> Item:
        """Add an item whose original is stored; it is ``queued`` and durable when this returns.

        Args:
            item_id: of the new item.
            tenant: owner.
            options: how it is to be protected.
            source: the original.
            group_key: see ``Item``.
            batch_id: the batch that it is submitted in.
            idempotency_key: the client's name for this request. If the tenant used it within the
                last 24 hours, nothing is added and the item of then is returned, unless that was
                deleted since.
            traceparent: see ``Item``.
            upload_id: the upload that it is made of, which is thereby used up. It was counted
                when it was begun; any other photo of an upload token is counted now.
            details: what the client says of it.
            replaces: whether it replaces an item of the batch, which may then be closed.

        Raises:
            BadInput: ``request_differs``: the earlier request was another one.
            Conflict: ``upload_used`` or ``batch_closed``.
            Denied: ``token_used_up``.
            NotFound: there is no such upload of this tenant.
            Overloaded: ``over_quota``: the tenant may not submit that much more today.
            ValueError: there is an item of this id already.
        """
        with self._database.transaction(ANSWER_LOST) as connection:
            owner, megapixels = locked_tenant(connection, tenant), source.megapixels
            before = repeated(connection, items, tenant, idempotency_key)
            if upload_id is not None:
                uploads.use(connection, tenant, upload_id, before.id if before else item_id)
            if before is not None:
                return _same(rows.item(before), options, source, batch_id, details)
            if batch_id is not None and not replaces:
                open_batch(connection, tenant, batch_id)
            require_quota(connection, owner, megapixels)
            if details.callback is not None:
                ensure_callbacks(connection, tenant)
            if details.token_id is not None and upload_id is None:
                upload_tokens.charge(connection, details.token_id, source.size)
            priority = Priority.INTERACTIVE if batch_id is None else Priority.BULK
            finish = fair_queue.next_finish_time(connection, owner, priority, megapixels)
            moment = now(connection)
            item = Item(
                id=item_id,
                tenant=tenant,
                state=State.QUEUED,
                options=options,
                source=source,
                group_key=group_key,
                created_at=moment,
                updated_at=moment,
                batch_id=batch_id,
                details=details,
                traceparent=traceparent,
            )
            queueing = {
                "priority": priority,
                "virtual_finish_time": finish,
                "idempotency_key": idempotency_key,
            }
            statement = insert(items).values(rows.queued(item) | queueing).returning(items)
            return rows.item(connection.execute(statement).one())

    def get(self, tenant: str, item_id: str) -> Item:
        """The tenant's item. Raises NotFound, with the code ``expired`` if it was deleted then."""
        row = self._database.row(OWN_ITEM, tenant=tenant, item=item_id)
        return rows.item(self._present(row, tenant, item_id))

    def list_newest(  # noqa: PLR0913  # one argument for each condition
        self,
        tenant: str,
        *,
        before: int | None,
        limit: int,
        states: Collection[State] | None = None,
        reference: str | None = None,
        source_sha256: str | None = None,
    ) -> list[tuple[int, Item]]:
        """Up to ``limit`` of the tenant's items with their ``seq``, newest first.

        Args:
            tenant: owner.
            before: ``seq`` of the last item of the page before; None for the first page.
            limit: most items.
            states: only items in one of them.
            reference: only items with it.
            source_sha256: only items whose original has this digest.
        """
        conditions = [items.c.tenant == tenant, items.c.deleted_at.is_(None)]
        equal = {items.c.reference: reference, items.c.source_sha256: source_sha256}
        conditions += [column == value for column, value in equal.items() if value is not None]
        if before is not None:
            conditions.append(items.c.seq < before)
        if states is not None:
            conditions.append(items.c.state.in_(states))
        query = select(items).where(*conditions).order_by(items.c.seq.desc()).limit(limit)
        with self._database.read_transaction() as connection:
            return [(row.seq, rows.item(row)) for row in connection.execute(query)]

    def get_with_position(self, tenant: str, item_id: str) -> tuple[Item, int | None]:
        """The same, and how many items are claimed before it (0: next; None: not queued)."""
        row = self._database.row(OWN_ITEM_WITH_POSITION, tenant=tenant, item=item_id)
        found = self._present(row, tenant, item_id)
        return rows.item(found), found.position

    def claim(
        self,
        *,
        limit: int,
        max_megapixels: float,
        lease: timedelta,
        limits: Mapping[str, int] = NO_LIMITS,
    ) -> list[Item]:
        """Lease the next items of the queue that can be processed together.

        The first item decides the group key; further items of the same key, of whichever tenant,
        join while their megapixels add up to at most ``max_megapixels`` (the first always fits).
        The order shares the machine between tenants by weight; of one tenant, first come is first
        served, and items in no batch go before all batches. Items that were claimed before are
        claimed only with such items, in smaller groups, and alone for the last attempt. All get
        the same fresh ``lease_token``, and ``attempts`` one higher. Two callers never get the same
        item. Empty: nothing is queued.

        Args:
            limit: most items.
            max_megapixels: most megapixels of several items together.
            lease: how long nobody else gets them.
            limits: most items of a group key, where it is not ``limit``; 0: none now.
        """
        with self._database.transaction() as connection:
            chosen = next_group(connection, limit, limits, max_megapixels)
            if not chosen:
                return []
            values = {
                "state": State.LEASED,
                "lease_token": secrets.token_hex(16),
                "lease_expires_at": clock(connection, lease),
                "attempts": items.c.attempts + 1,
                "updated_at": clock(connection),
            }
            claim = update(items).where(items.c.seq.in_(chosen)).values(values).returning(items)
            claimed = sorted(
                connection.execute(claim), key=lambda row: (row.virtual_finish_time, row.seq)
            )
        # Parsed when it is leased: a row that cannot be costs an attempt, and does not stay first.
        return [rows.item(row) for row in claimed]

    def renew_lease(self, token: str, lease: timedelta, stage: Stage | None = None) -> int:
        """Extend a claim and, if given, set its stage; the number of items still held."""
        with self._database.transaction() as connection:
            mine = held(connection, token)
            values: dict[str, Any] = {"lease_expires_at": clock(connection, lease)}
            write(connection, mine.values(), values | ({"stage": stage} if stage else {}))
            return len(mine)

    def complete(self, token: str, results: Sequence[Result]) -> set[str]:
        """``leased → stored → done`` for each result whose item is still held under the token.

        Both transitions are one transaction: nobody sees ``stored``. Returns the ids that became
        ``done``. First writer wins: an id that is missing was cancelled, or another worker
        finished it.
        """
        made = {result.item_id: result for result in results}
        done = {item_id: rows.done(result) for item_id, result in made.items()}
        return self._finish(token, done, made)

    def fail(self, token: str, failures: Sequence[Failure]) -> set[str]:
        """``leased → failed`` for each item still held; their ids."""
        return self._finish(token, {failure.item_id: rows.failed(failure) for failure in failures})

    def release(self, token: str, *, counted: bool = False) -> int:
        """``leased → queued`` for each item still held; how many.

        Args:
            token: of the claim.
            counted: whether the attempt counts.
        """
        with self._database.transaction() as connection:
            mine = held(connection, token)
            values = unleased(State.QUEUED) | {"attempts": items.c.attempts - int(not counted)}
            write(connection, mine.values(), values)
            return len(mine)

    def expire_leases(self) -> int:
        """Free the items whose lease has run out; how many changed.

        ``leased → queued``, or ``failed: worker_lost`` after the third attempt.
        """
        lost = rows.failed(Failure("", "worker_lost", f"It outlived {MAX_ATTEMPTS} workers."))
        with self._database.transaction() as connection:
            late = overdue(connection)
            spent = [seq for seq, attempts in late.items() if attempts >= MAX_ATTEMPTS]
            write(connection, late.keys() - set(spent), unleased(State.QUEUED))
            write(connection, spent, unleased(State.FAILED) | lost)
            note_ended(connection, spent)
            return len(late)

    def delete(self, tenant: str, item_id: str, *, audited: bool = True) -> Item:
        """Delete an item for good; ``cancelled`` if it had not ended. Raises NotFound.

        Its row keeps no label, file name, digest or measurement, and ``get`` raises NotFound.
        Returns the item as it was, whose objects the caller deletes.

        Args:
            tenant: owner.
            item_id: of the item.
            audited: whether somebody asked for it, so that the audit log records it.
        """
        with self._database.transaction() as connection:
            mine = {"tenant": tenant, "item": item_id}
            query = OWN_ITEM.with_for_update()
            old = rows.item(the_one(connection.execute(query, mine).one_or_none()))
            values = deletion(old, now(connection))
            connection.execute(update(items).where(items.c.id == item_id).values(values))
            forget(connection, [item_id])
            forget_sketches(connection, [item_id])
            forget_outputs(connection, [item_id])
            if old.batch_id is not None and old.state not in FINAL_STATES:
                schedule_batch_check(connection, [old.batch_id])
            if audited:
                record(connection, tenant, AuditAction.IMAGE_DELETE, item_id)
            return old

    def delete_expired(self, limit: int) -> list[Item]:
        """Delete up to ``limit`` items that have expired, as ``delete`` does; as they were.

        From now on ``get`` says that they have expired.
        """
        with self._database.read_transaction() as connection:  # mostly there is none: spare writers
            moment = now(connection)
            expired = items.c.deleted_at.is_(None), items.c.expires_at <= moment
            query = select(items).where(*expired).order_by(items.c.seq).limit(limit)
            if connection.execute(query.limit(1)).one_or_none() is None:
                return []
        with self._database.transaction() as connection:
            locked = query.with_for_update(skip_locked=True)
            found = {row.seq: rows.item(row) for row in connection.execute(locked)}
            for seq, old in found.items():
                values = deletion(old, moment) | {"expires_at": old.expires_at}
                connection.execute(update(items).where(items.c.seq == seq).values(values))
            ids = [old.id for old in found.values()]
            forget(connection, ids)
            forget_sketches(connection, ids)
            forget_outputs(connection, ids)
            return list(found.values())

    def count_by_state(self) -> dict[State, int]:
        """How many items are in each state (absent: none); deleted ones do not count."""
        query = select(items.c.state, func.count()).where(items.c.deleted_at.is_(None))
        with self._database.read_transaction() as connection:
            found = connection.execute(query.group_by(items.c.state))
            return {State(state): count for state, count in found}

    def queued_work(self) -> dict[Priority, QueuedWork]:
        """Items and megapixels that are ``queued``, by priority."""
        query = select(items.c.priority, func.count(), func.sum(items.c.megapixels))
        with self._database.read_transaction() as connection:
            found = connection.execute(query.where(IS_QUEUED).group_by(items.c.priority))
            work = {Priority(key): QueuedWork(count, float(total)) for key, count, total in found}
        return {priority: work.get(priority, QueuedWork()) for priority in Priority}

    def next_queued_id(self) -> str | None:
        """The id of the item that the next claim starts with; None: nothing is queued."""
        columns = (items.c.id, items.c.priority, items.c.virtual_finish_time, items.c.seq)
        queues = [fair_queue.queue(priority, *columns) for priority in Priority]
        with self._database.read_transaction() as connection:
            row = fair_queue.first(connection, queues)
        return None if row is None else str(row.id)

    def states(self, item_ids: Sequence[str]) -> dict[str, State]:
        """The state of each of the items that exists and is not deleted."""
        found: dict[str, State] = {}
        query = select(items.c.id, items.c.state).where(items.c.deleted_at.is_(None))
        with self._database.read_transaction() as connection:
            for ids in chunks(item_ids):
                rows_found = connection.execute(query.where(items.c.id.in_(ids)))
                found.update({item_id: State(state) for item_id, state in rows_found})
        return found

    def _present(self, row: Row[Any] | None, tenant: str, item_id: str) -> Row[Any]:
        if row is None:
            mine = items.c.id == item_id, items.c.tenant == tenant
            expired = self._database.scalar(select(items.c.expires_at).where(*mine))
            if expired is not None:
                raise NotFound(f"It was deleted as planned, at {expired:%FT%TZ}.", "expired")
        return the_one(row)

    def _finish(
        self,
        token: str,
        outcomes: dict[str, dict[str, Any]],
        made: Mapping[str, Result] = NO_RESULTS,
    ) -> set[str]:
        with self._database.transaction() as connection:
            mine = held(connection, token)
            won = outcomes.keys() & mine.keys()
            changes = {mine[item_id]: outcomes[item_id] for item_id in won}
            write_each(
                connection, {seq: unleased(new["state"]) | new for seq, new in changes.items()}
            )
            finished = won & made.keys()
            record_outputs(connection, {one: made[one].output for one in finished})
            record_proofs(connection, {one: made[one].proofs for one in finished})
            note_ended(connection, changes)
            return won


def _same(
    before: Item, options: Options, source: Source, batch_id: str | None, details: Details
) -> Item:
    """The item of a repeated request. Raises BadInput: the request was another one."""
    requested = (options, source.sha256, batch_id, details)
    if (before.options, before.source.sha256, before.batch_id, before.details) != requested:
        raise BadInput(
            "request_differs",
            "The photo, its options, its batch, reference or metadata differ from the first "
            "request.",
        )
    return before
