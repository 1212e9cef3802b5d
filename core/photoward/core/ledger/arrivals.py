"""Arrivals: items whose photos are still to be fetched, and who fetches which."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, insert, select, update

from photoward.core.errors import BadInput
from photoward.core.fetches import UPLOAD, Arrival
from photoward.core.jobs import REPEAT_WINDOW, Item, Lane, Source, State, new_id
from photoward.core.ledger import rows, turns, uploads
from photoward.core.ledger.engine import now
from photoward.core.ledger.keyring import require_room
from photoward.core.ledger.outbox import announce
from photoward.core.ledger.selection import (
    hidden,
    in_parts,
    locked_tenant,
    the_batch,
    write,
    write_each,
)
from photoward.core.ledger.tables import arrivals, items
from photoward.core.ledger.transactions import Transactions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from sqlalchemy import Connection, Row

    from photoward.core.fetches import Expected
    from photoward.core.jobs import Failure, Options

NOTHING = Source("", 0, "application/octet-stream", 0, 0, None)


class SqlArrivals(Transactions):
    """The ``Arrivals`` part of the ledger; see the port."""

    def expect(
        self, tenant: str, batch_id: str, expected: Sequence[Expected], trace: str | None = None,
        request: str | None = None,
    ) -> None:  # fmt: skip
        """See the port."""
        with self._writing() as connection:
            locked_tenant(connection, tenant)  # the same manifest twice at once is one
            the_batch(connection, tenant, batch_id)
            _require_same(connection, tenant, request)
            known = _known(connection, [one.item_id for one in expected])
            moment = now(connection)
            fresh = [one for one in expected if one.item_id not in known]
            _insert(connection, [
                Item(
                    one.item_id, tenant, State.RECEIVED, one.options,
                    replace(NOTHING, filename=one.filename), "", moment, moment,
                    batch=batch_id, trace=trace,
                )
                for one in fresh
            ], request)  # fmt: skip
            waiting = [
                {
                    "item": one.item_id, "tenant": tenant, "kind": one.kind, "place": one.place,
                    "tries": 0, "due_at": moment,
                }
                for one in fresh
            ]  # fmt: skip
            if waiting:
                connection.execute(insert(arrivals), waiting)

    def expect_again(self, tenant: str, batch_id: str) -> int:
        """See the port."""
        failed = (
            select(items).join(arrivals, arrivals.c.item == items.c.id)
            .where(
                items.c.batch == batch_id, items.c.tenant == tenant, items.c.hidden_at.is_(None),
                items.c.state == State.FAILED, arrivals.c.due_at.is_(None),
            )
            .order_by(items.c.seq).with_for_update(of=items)
        )  # fmt: skip
        with self._writing() as connection:
            locked_tenant(connection, tenant)
            the_batch(connection, tenant, batch_id)
            moment = now(connection)
            old = {row.seq: rows.item(row) for row in connection.execute(failed)}
            fresh = {item.id: _anew(item, moment) for item in old.values()}
            _insert(connection, list(fresh.values()))
            write_each(connection, {seq: hidden(item, moment) for seq, item in old.items()})
            moved = [{"old": gone, "fresh": item.id} for gone, item in fresh.items()]
            if moved:
                again = update(arrivals).where(arrivals.c.item == bindparam("old"))
                again = again.values(item=bindparam("fresh"), tries=0, due_at=moment)
                connection.execute(again, moved)
            return len(moved)

    def take_arrival(self, lease: timedelta) -> Arrival | None:
        """See the port."""
        with self._reading() as connection:  # mostly there is nothing, and writers would wait
            late = select(arrivals.c.tenant).where(arrivals.c.due_at <= now(connection))
            waiting = list(connection.execute(late.distinct()).scalars())
        random.shuffle(waiting)
        for tenant in waiting:
            with self._writing() as connection:
                taken = _taken(connection, tenant, lease)
            if taken is not None:  # read when it is leased: what is odd does not stay the first
                return _arrival(taken)
        return None

    def hold_arrival(self, arrival: Arrival, lease: timedelta) -> bool:
        """See the port."""
        with self._writing() as connection:
            return self._due(connection, arrival, {"due_at": now(connection) + lease})

    def postpone(self, arrival: Arrival, wait: timedelta, *, counted: bool) -> None:
        """See the port."""
        with self._writing() as connection:
            tries = arrival.tries if counted else arrival.tries - 1
            self._due(connection, arrival, {"due_at": now(connection) + wait, "tries": tries})

    def arrive(
        self, arrival: Arrival, options: Options, source: Source, batch_key: str
    ) -> Item | None:
        """See the port."""
        with self._writing() as connection:
            owner = locked_tenant(connection, arrival.tenant)
            row = _mine(connection, arrival)
            if row is None:
                return None
            require_room(connection, owner, source.megapixels)
            turn = turns.take(connection, owner, Lane.BATCH, source.megapixels)
            moment = now(connection)  # quotas count from when the photo is here
            here = replace(
                rows.item(row), state=State.QUEUED, options=options, source=source,
                batch_key=batch_key, created_at=moment, updated_at=moment,
            )  # fmt: skip
            forget(connection, [arrival.item_id])
            if arrival.kind == UPLOAD:
                uploads.use(connection, arrival.tenant, arrival.place, arrival.item_id)
            values = rows.queued(here) | {"turn": turn}
            queued = update(items).where(items.c.seq == row.seq).values(values).returning(items)
            return rows.item(connection.execute(queued).one())

    def miss(self, arrival: Arrival, failure: Failure, *, final: bool) -> bool:
        """See the port."""
        with self._writing() as connection:
            row = _mine(connection, arrival)
            if row is None:
                return False
            write(connection, [row.seq], rows.failed(failure))
            if final:
                forget(connection, [arrival.item_id])
            else:
                self._due(connection, arrival, {"due_at": None})
            announce(connection, [row.seq])
            return True

    def prune_arrivals(self, older_than: timedelta) -> int:
        """See the port."""
        with self._writing() as connection:
            ended = select(items.c.id).where(
                items.c.state == State.FAILED, items.c.updated_at < now(connection) - older_than
            )
            old = select(arrivals.c.seq).where(
                arrivals.c.due_at.is_(None), arrivals.c.item.in_(ended)
            )  # fmt: skip
            mine = arrivals.c.seq.in_(old.with_for_update(skip_locked=True))
            return connection.execute(delete(arrivals).where(mine)).rowcount

    @staticmethod
    def _due(connection: Connection, arrival: Arrival, values: dict[str, Any]) -> bool:
        changed = update(arrivals).where(*_is(arrival)).values(values)
        return connection.execute(changed).rowcount == 1


def forget(connection: Connection, item_ids: Sequence[str]) -> None:
    """Nothing of these items is to be fetched any more."""
    if item_ids:
        connection.execute(delete(arrivals).where(arrivals.c.item.in_(item_ids)))


def _known(connection: Connection, item_ids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for some in in_parts(item_ids):
        known = select(items.c.id).where(items.c.id.in_(some))
        found.update(connection.execute(known).scalars())
    return found


def _require_same(connection: Connection, tenant: str, request: str | None) -> None:
    if request is None:
        return
    asked = request[: len(request) // 2]
    other = select(items.c.seq).where(
        items.c.tenant == tenant, items.c.request.between(asked, f"{asked}g"),  # digits end at f
        items.c.request != request, items.c.created_at > now(connection) - REPEAT_WINDOW,
    )  # fmt: skip
    if connection.execute(other.limit(1)).one_or_none() is not None:
        raise BadInput("request_differs", "The manifest differs from the one of the first request.")


def _anew(old: Item, moment: datetime) -> Item:
    return Item(
        new_id(), old.tenant, State.RECEIVED, old.options, old.source, "", moment, moment,
        batch=old.batch, trace=old.trace,
    )  # fmt: skip


def _insert(connection: Connection, fresh: Sequence[Item], request: str | None = None) -> None:
    if fresh:
        place = {"lane": Lane.BATCH, "request": request}
        values = [rows.queued(item) | place for item in fresh]
        connection.execute(insert(items), values)


def _taken(connection: Connection, tenant: str, lease: timedelta) -> Row[Any] | None:
    moment = now(connection)
    first = (
        select(arrivals, items.c.options, items.c.source)
        .join(items, items.c.id == arrivals.c.item)
        .where(arrivals.c.tenant == tenant, arrivals.c.due_at <= moment)
        .order_by(arrivals.c.due_at, arrivals.c.seq).limit(1)
        .with_for_update(skip_locked=True, of=arrivals)
    )  # fmt: skip
    row = connection.execute(first).one_or_none()
    if row is None:
        return None
    later = {"due_at": moment + lease, "tries": row.tries + 1}
    connection.execute(update(arrivals).where(arrivals.c.seq == row.seq).values(later))
    return row


def _arrival(row: Row[Any]) -> Arrival:
    return Arrival(
        row.item, row.tenant, row.kind, row.place, rows.options(row.options),
        row.source["filename"], row.tries + 1,
    )  # fmt: skip


def _mine(connection: Connection, arrival: Arrival) -> Row[Any] | None:
    """The item's row, locked, if this try is still the one that counts."""
    received = select(items).where(items.c.id == arrival.item_id, items.c.state == State.RECEIVED)
    row = connection.execute(received.with_for_update()).one_or_none()
    own = select(arrivals.c.seq).where(*_is(arrival)).with_for_update()
    return row if connection.execute(own).one_or_none() is not None else None


def _is(arrival: Arrival) -> tuple[Any, ...]:
    return (
        arrivals.c.item == arrival.item_id, arrivals.c.tries == arrival.tries,
        arrivals.c.due_at.is_not(None),
    )  # fmt: skip
