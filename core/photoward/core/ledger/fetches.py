"""Fetches: items whose photos are still to be downloaded, and who downloads which."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, insert, select, update

from photoward.core.errors import BadInput
from photoward.core.fetches import UPLOAD_SOURCE, FetchJob
from photoward.core.jobs import IDEMPOTENCY_WINDOW, Item, Priority, Source, State, new_id
from photoward.core.ledger import fair_queue, rows, uploads
from photoward.core.ledger.database import Section
from photoward.core.ledger.engine import now
from photoward.core.ledger.queries import (
    chunks,
    deletion,
    locked_tenant,
    open_batch,
    the_batch,
    write,
    write_each,
)
from photoward.core.ledger.tables import fetches, items
from photoward.core.ledger.tenants import require_quota
from photoward.core.ledger.webhooks import ensure_callbacks, note_ended

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from sqlalchemy import Connection, Row

    from photoward.core.fetches import FetchRequest
    from photoward.core.jobs import Failure, Options

NO_SOURCE = Source("", 0, "application/octet-stream", 0, 0, None)
"""The source of an item whose photo has not been fetched."""


class Fetches(Section):
    """What is still to be fetched: items that are ``received``.

    A fetcher that is too slow loses its lease to another one; then none of its reports changes
    anything.
    """

    def enqueue(
        self,
        tenant: str,
        batch_id: str | None,
        requests: Sequence[FetchRequest],
        traceparent: str | None = None,
        idempotency_key: str | None = None,
    ) -> None:
        """Add items whose photos are to be fetched; durable when this returns.

        An id that exists already is left as it is.

        Args:
            tenant: owner.
            batch_id: the batch; None: they are submitted by themselves.
            requests: the photos.
            traceparent: see ``Item``.
            idempotency_key: 64 characters; the first 32 identify the client's key, the others the
                manifest.

        Raises:
            BadInput: ``request_differs``: the key was used with another manifest.
            Conflict: ``batch_closed``.
            NotFound: no such batch.
        """
        with self._database.transaction() as connection:
            locked_tenant(connection, tenant)  # the same manifest twice at once is one
            if batch_id is not None:
                open_batch(connection, tenant, batch_id)
            _require_same(connection, tenant, idempotency_key)
            known = _known(connection, [one.item_id for one in requests])
            if any(one.details.callback for one in requests):
                ensure_callbacks(connection, tenant)
            moment = now(connection)
            new = [one for one in requests if one.item_id not in known]
            added = [_received(one, tenant, batch_id, traceparent, moment) for one in new]
            _insert(connection, added, idempotency_key)
            if new:
                values = [_queued(one, tenant, moment) for one in new]
                connection.execute(insert(fetches), values)

    def retry_failed(self, tenant: str, batch_id: str) -> int:
        """Replace the batch's items that could not be fetched by new ones; how many.

        Raises NotFound.
        """
        failed = (
            select(items)
            .join(fetches, fetches.c.item_id == items.c.id)
            .where(
                items.c.batch_id == batch_id,
                items.c.tenant == tenant,
                items.c.deleted_at.is_(None),
                items.c.state == State.FAILED,
                fetches.c.next_attempt_at.is_(None),
            )
            .order_by(items.c.seq)
            .with_for_update(of=items)
        )
        with self._database.transaction() as connection:
            locked_tenant(connection, tenant)
            the_batch(connection, tenant, batch_id)
            moment = now(connection)
            old = {row.seq: rows.item(row) for row in connection.execute(failed)}
            new = {item.id: _copy(item, moment) for item in old.values()}
            _insert(connection, list(new.values()))
            write_each(connection, {seq: deletion(item, moment) for seq, item in old.items()})
            moved = [{"old": old_id, "new": item.id} for old_id, item in new.items()]
            if moved:
                again = update(fetches).where(fetches.c.item_id == bindparam("old"))
                again = again.values(item_id=bindparam("new"), attempts=0, next_attempt_at=moment)
                connection.execute(again, moved)
            return len(moved)

    def claim(self, lease: timedelta) -> FetchJob | None:
        """Lease a fetch that is due; tenants are drawn at random, however many each has.

        None: nothing is due.
        """
        with self._database.read_transaction() as connection:  # mostly nothing is: spare writers
            late = select(fetches.c.tenant).where(fetches.c.next_attempt_at <= now(connection))
            waiting = list(connection.execute(late.distinct()).scalars())
        random.shuffle(waiting)
        for tenant in waiting:
            with self._database.transaction() as connection:
                row = _lease(connection, tenant, lease)
            if row is not None:  # parsed when it is leased: what cannot be does not stay first
                return _job(row)
        return None

    def renew_lease(self, job: FetchJob, lease: timedelta) -> bool:
        """Extend the lease; False: the item was cancelled, or another fetcher has it."""
        with self._database.transaction() as connection:
            return _update(connection, job, {"next_attempt_at": now(connection) + lease})

    def reschedule(self, job: FetchJob, wait: timedelta, *, counted: bool) -> None:
        """Try it again after ``wait``; this attempt counts only if ``counted``."""
        with self._database.transaction() as connection:
            attempts = job.attempts if counted else job.attempts - 1
            values = {"next_attempt_at": now(connection) + wait, "attempts": attempts}
            _update(connection, job, values)

    def complete(
        self, job: FetchJob, options: Options, source: Source, group_key: str
    ) -> Item | None:
        """``received → queued``: the photo is stored; None: as False of ``renew_lease``.

        An upload is used up by it, as in ``Items.add``.

        Raises:
            Overloaded: ``over_quota``.
            Conflict: ``upload_used``.
            NotFound: the upload has expired.
        """
        with self._database.transaction() as connection:
            owner = locked_tenant(connection, job.tenant)
            row = _leased_item(connection, job)
            if row is None:
                return None
            require_quota(connection, owner, source.megapixels)
            priority = Priority(row.priority)
            finish = fair_queue.next_finish_time(connection, owner, priority, source.megapixels)
            moment = now(connection)  # quotas count from when the photo is here
            item = replace(
                rows.item(row),
                state=State.QUEUED,
                options=options,
                source=source,
                group_key=group_key,
                created_at=moment,
                updated_at=moment,
            )
            forget(connection, [job.item_id])
            if job.source_kind == UPLOAD_SOURCE:
                uploads.use(connection, job.tenant, job.location, job.item_id)
            values = rows.queued(item) | {"virtual_finish_time": finish}
            queued = update(items).where(items.c.seq == row.seq).values(values).returning(items)
            return rows.item(connection.execute(queued).one())

    def fail(self, job: FetchJob, failure: Failure, *, final: bool) -> bool:
        """``received → failed``; False: as of ``renew_lease``.

        Args:
            job: the attempt.
            failure: the reason.
            final: False: ``retry_failed`` may try it again.
        """
        with self._database.transaction() as connection:
            row = _leased_item(connection, job)
            if row is None:
                return False
            write(connection, [row.seq], rows.failed(failure))
            if final:
                forget(connection, [job.item_id])
            else:
                _update(connection, job, {"next_attempt_at": None})
            note_ended(connection, [row.seq])
            return True

    def prune(self, older_than: timedelta) -> int:
        """Forget the locations of photos whose fetch failed that long ago; how many."""
        with self._database.transaction() as connection:
            ended = select(items.c.id).where(
                items.c.state == State.FAILED, items.c.updated_at < now(connection) - older_than
            )
            old = select(fetches.c.seq).where(
                fetches.c.next_attempt_at.is_(None), fetches.c.item_id.in_(ended)
            )
            mine = fetches.c.seq.in_(old.with_for_update(skip_locked=True))
            return connection.execute(delete(fetches).where(mine)).rowcount


def forget(connection: Connection, item_ids: Sequence[str]) -> None:
    """Delete the fetches of these items."""
    if item_ids:
        connection.execute(delete(fetches).where(fetches.c.item_id.in_(item_ids)))


def _known(connection: Connection, item_ids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for ids in chunks(item_ids):
        known = select(items.c.id).where(items.c.id.in_(ids))
        found.update(connection.execute(known).scalars())
    return found


def _require_same(connection: Connection, tenant: str, idempotency_key: str | None) -> None:
    if idempotency_key is None:
        return
    prefix = idempotency_key[: len(idempotency_key) // 2]
    other = select(items.c.seq).where(
        items.c.tenant == tenant,
        items.c.idempotency_key.between(prefix, f"{prefix}g"),  # hexadecimal digits end at f
        items.c.idempotency_key != idempotency_key,
        items.c.created_at > now(connection) - IDEMPOTENCY_WINDOW,
    )
    if connection.execute(other.limit(1)).one_or_none() is not None:
        raise BadInput("request_differs", "The manifest differs from the one of the first request.")


def _received(
    request: FetchRequest,
    tenant: str,
    batch_id: str | None,
    traceparent: str | None,
    moment: datetime,
) -> Item:
    return Item(
        id=request.item_id,
        tenant=tenant,
        state=State.RECEIVED,
        options=request.options,
        source=replace(NO_SOURCE, filename=request.filename),
        group_key="",
        created_at=moment,
        updated_at=moment,
        batch_id=batch_id,
        details=request.details,
        traceparent=traceparent,
    )


def _copy(old: Item, moment: datetime) -> Item:
    return Item(
        id=new_id(),
        tenant=old.tenant,
        state=State.RECEIVED,
        options=old.options,
        source=old.source,
        group_key="",
        created_at=moment,
        updated_at=moment,
        batch_id=old.batch_id,
        details=old.details,
        traceparent=old.traceparent,
    )


def _queued(request: FetchRequest, tenant: str, moment: datetime) -> dict[str, Any]:
    return {
        "item_id": request.item_id,
        "tenant": tenant,
        "source_kind": request.source_kind,
        "location": request.location,
        "attempts": 0,
        "next_attempt_at": moment,
    }


def _insert(
    connection: Connection, new: Sequence[Item], idempotency_key: str | None = None
) -> None:
    if new:
        name = {"idempotency_key": idempotency_key}
        values = [rows.queued(item) | name | {"priority": _priority(item)} for item in new]
        connection.execute(insert(items), values)


def _priority(item: Item) -> Priority:
    return Priority.INTERACTIVE if item.batch_id is None else Priority.BULK


def _lease(connection: Connection, tenant: str, lease: timedelta) -> Row[Any] | None:
    moment = now(connection)
    first = (
        select(fetches, items.c.options, items.c.source)
        .join(items, items.c.id == fetches.c.item_id)
        .where(fetches.c.tenant == tenant, fetches.c.next_attempt_at <= moment)
        .order_by(fetches.c.next_attempt_at, fetches.c.seq)
        .limit(1)
        .with_for_update(skip_locked=True, of=fetches)
    )
    row = connection.execute(first).one_or_none()
    if row is None:
        return None
    values = {"next_attempt_at": moment + lease, "attempts": row.attempts + 1}
    connection.execute(update(fetches).where(fetches.c.seq == row.seq).values(values))
    return row


def _job(row: Row[Any]) -> FetchJob:
    return FetchJob(
        item_id=row.item_id,
        tenant=row.tenant,
        source_kind=row.source_kind,
        location=row.location,
        options=rows.options(row.options),
        filename=row.source["filename"],
        attempts=row.attempts + 1,
    )


def _leased_item(connection: Connection, job: FetchJob) -> Row[Any] | None:
    """The item's row, locked, if this attempt is still the latest."""
    received = select(items).where(items.c.id == job.item_id, items.c.state == State.RECEIVED)
    row = connection.execute(received.with_for_update()).one_or_none()
    own = select(fetches.c.seq).where(*_is(job)).with_for_update()
    return row if connection.execute(own).one_or_none() is not None else None


def _update(connection: Connection, job: FetchJob, values: dict[str, Any]) -> bool:
    return connection.execute(update(fetches).where(*_is(job)).values(values)).rowcount == 1


def _is(job: FetchJob) -> tuple[Any, ...]:
    return (
        fetches.c.item_id == job.item_id,
        fetches.c.attempts == job.attempts,
        fetches.c.next_attempt_at.is_not(None),
    )
