"""Webhooks and the outbox of their messages, written in the transactions that they tell of."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, exists, insert, select, update

from photoward.core import webhooks as webhooks_of
from photoward.core.audit import Deed
from photoward.core.errors import NotFound
from photoward.core.jobs import FINAL, PUBLIC_STATES, State, public_counts
from photoward.core.ledger.audit import record
from photoward.core.ledger.engine import clock, now
from photoward.core.ledger.selection import locked_tenant, states_of
from photoward.core.ledger.tables import IS_PENDING, batches, deliveries, items, webhooks
from photoward.core.ledger.transactions import Transactions
from photoward.core.webhooks import Delivered, Delivery, Event, Webhook

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime, timedelta

    from sqlalchemy import ColumnElement, Connection, Row, Select

EVENTS = {State.DONE: Event.IMAGE_DONE, State.FAILED: Event.IMAGE_FAILED}


class SqlOutbox(Transactions):
    """The ``Outbox`` part of the ledger; see the port."""

    def add_webhook(
        self, webhook_id: str, tenant: str, url: str, events: Collection[Event]
    ) -> Webhook:  # fmt: skip
        """See the port."""
        with self._writing() as connection:
            locked_tenant(connection, tenant)
            values = {
                "id": webhook_id, "tenant": tenant, "url": url, "events": ",".join(sorted(events)),
                "version": 1, "created_at": now(connection),
            }  # fmt: skip
            record(connection, tenant, Deed.WEBHOOK_MADE, webhook_id)
            statement = insert(webhooks).values(values).returning(webhooks)
            return _webhook(connection.execute(statement).one())

    def webhooks(self, tenant: str) -> list[Webhook]:
        """See the port."""
        query = select(webhooks).where(webhooks.c.tenant == tenant)
        with self._reading() as connection:
            found = connection.execute(query.order_by(webhooks.c.created_at, webhooks.c.id))
            return [_webhook(row) for row in found]

    def rotate_webhook(self, tenant: str, webhook_id: str, grace: timedelta) -> Webhook:
        """See the port."""
        with self._writing() as connection:
            old_until = now(connection) + grace
            statement = (
                update(webhooks)
                .where(webhooks.c.id == webhook_id, webhooks.c.tenant == tenant)
                .values(version=webhooks.c.version + 1, old_until=old_until, disabled_at=None)
                .returning(webhooks)
            )
            row = connection.execute(statement).one_or_none()
            if row is None:
                raise NotFound
            record(connection, tenant, Deed.WEBHOOK_ROTATED, webhook_id)
            return _webhook(row)

    def remove_webhook(self, tenant: str, webhook_id: str) -> None:
        """See the port."""
        with self._writing() as connection:
            mine = (webhooks.c.id == webhook_id, webhooks.c.tenant == tenant)
            if not drop_webhooks(connection, *mine):
                raise NotFound
            record(connection, tenant, Deed.WEBHOOK_REMOVED, webhook_id)

    def deliveries(
        self, tenant: str, webhook_id: str, *, after: int, limit: int
    ) -> list[Delivery]:  # fmt: skip
        """See the port."""
        query = select(deliveries).where(
            deliveries.c.webhook == webhook_id, deliveries.c.seq > after
        )  # fmt: skip
        with self._reading() as connection:
            _own(connection, tenant, webhook_id)
            found = connection.execute(query.order_by(deliveries.c.seq).limit(limit))
            return [_delivery(row) for row in found]

    def replay(self, tenant: str, webhook_id: str, delivery_id: str) -> Delivery:
        """See the port."""
        with self._writing() as connection:
            _own(connection, tenant, webhook_id)
            statement = (
                update(deliveries)
                .where(deliveries.c.id == delivery_id, deliveries.c.webhook == webhook_id)
                .values(state=Delivered.PENDING, attempts=0, due_at=now(connection))
                .returning(deliveries)
            )
            row = connection.execute(statement).one_or_none()
            if row is None:
                raise NotFound
            return _delivery(row)

    def awaiting(self) -> list[Webhook]:
        """See the port."""
        self._ask_at_rest()
        with self._reading() as connection:
            waits = exists().where(deliveries.c.webhook == webhooks.c.id, _is_due(now(connection)))
            found = select(webhooks).where(webhooks.c.disabled_at.is_(None), waits)
            return [_webhook(row) for row in connection.execute(found)]

    def _ask_at_rest(self) -> None:
        with self._reading() as connection:  # mostly there is nothing, and writers would wait
            some = select(batches.c.id).where(_at_rest(now(connection))).limit(1)
            if connection.execute(some).one_or_none() is None:
                return
        with self._writing() as connection:
            _announce_rest(connection, now(connection))

    def due(self, webhook_id: str, limit: int, lease: timedelta) -> list[Delivery]:
        """See the port."""
        with self._writing() as connection:
            moment = now(connection)
            free = (
                select(deliveries.c.seq)
                .where(deliveries.c.webhook == webhook_id, _is_due(moment))
                .order_by(deliveries.c.due_at, deliveries.c.seq).limit(limit)
                .with_for_update(skip_locked=True)
            )  # fmt: skip
            chosen = list(connection.execute(free).scalars())
            if not chosen:
                return []
            taken = (
                update(deliveries).where(deliveries.c.seq.in_(chosen))
                .values(due_at=moment + lease, attempts=deliveries.c.attempts + 1)
                .returning(deliveries)
            )  # fmt: skip
            found = [_delivery(row) for row in connection.execute(taken)]
            return sorted(found, key=lambda one: one.seq)

    def told(
        self, delivery: Delivery, status: int | None, error: str | None, retry: timedelta | None
    ) -> None:
        """See the port."""
        with self._writing() as connection:
            moment = now(connection)
            accepted = status is not None and 200 <= status < 300  # noqa: PLR2004  # HTTP's success
            state = Delivered.DELIVERED if accepted else Delivered.FAILED
            values: dict[str, Any] = {"status": status, "error": error, "due_at": moment}
            if not accepted and retry is not None:
                state, values["due_at"] = Delivered.PENDING, moment + retry
            connection.execute(
                update(deliveries)
                .where(
                    deliveries.c.seq == delivery.seq, deliveries.c.attempts == delivery.attempts,
                    deliveries.c.state == Delivered.PENDING,
                )
                .values(values | {"state": state})
            )  # fmt: skip

    def disable_webhook(self, webhook_id: str) -> None:
        """See the port."""
        with self._writing() as connection:
            statement = update(webhooks).where(webhooks.c.id == webhook_id)
            connection.execute(statement.values(disabled_at=now(connection)))
            waiting = (deliveries.c.webhook == webhook_id, deliveries.c.state == Delivered.PENDING)
            connection.execute(
                update(deliveries).where(*waiting).values(state=Delivered.FAILED)
            )  # fmt: skip

    def prune_deliveries(self, older_than: timedelta) -> int:
        """See the port."""
        with self._writing() as connection:
            ended = select(deliveries.c.seq).where(
                deliveries.c.state != Delivered.PENDING,
                deliveries.c.created_at < now(connection) - older_than,
            )
            old = deliveries.c.seq.in_(ended.with_for_update(skip_locked=True))
            return connection.execute(delete(deliveries).where(old)).rowcount


def announce(connection: Connection, ended: Iterable[int]) -> None:
    """Put into the outbox, for each webhook that wants it, that these rows have ended."""
    these = items.c.seq.in_(list(ended))
    hooks = _listening(connection, select(items.c.tenant).where(these))
    if not hooks:
        return
    rows = connection.execute(select(items).where(these)).all()
    moment = now(connection)
    told = [
        _message(hook, EVENTS[State(row.state)], _of_item(row), moment)
        for row in rows if State(row.state) in EVENTS
        for hook in hooks
        if hook.tenant == row.tenant and EVENTS[State(row.state)] in hook.events
    ]  # fmt: skip
    near_rest(connection, sorted({row.batch for row in rows if row.batch}))
    if told:
        connection.execute(insert(deliveries), told)


def near_rest(connection: Connection, batch_ids: Sequence[str]) -> None:
    """Something in these has ended: have it asked after a while whether that was the last.

    Not at once: who hands photos in one by one has a batch in which all has ended each time.
    """
    known = select(batches.c.id).where(batches.c.id.in_(batch_ids)).order_by(batches.c.id)
    locked = list(connection.execute(known.with_for_update()).scalars()) if batch_ids else []
    if locked:
        later = {"rest_at": clock(connection, webhooks_of.REST)}
        connection.execute(update(batches).where(batches.c.id.in_(locked)).values(later))


def drop_webhooks(connection: Connection, *which: ColumnElement[bool]) -> int:
    """Forget webhooks, and then their messages; how many.

    They are locked first, as by who announces something to them: it finds them gone, or they wait
    for its messages.
    """
    found = select(webhooks.c.id).where(*which).order_by(webhooks.c.id).with_for_update()
    ids = list(connection.execute(found).scalars())
    connection.execute(delete(deliveries).where(deliveries.c.webhook.in_(ids)))
    return connection.execute(delete(webhooks).where(webhooks.c.id.in_(ids))).rowcount


def _listening(connection: Connection, tenants: Select[Any]) -> list[Webhook]:
    """Locked so that they stay until their messages are there."""
    query = select(webhooks).where(webhooks.c.tenant.in_(tenants), webhooks.c.disabled_at.is_(None))
    staying = query.order_by(webhooks.c.id).with_for_update(read=True, key_share=True)
    return [_webhook(row) for row in connection.execute(staying)]


def _at_rest(moment: datetime) -> ColumnElement[bool]:
    return batches.c.rest_at <= moment


def _announce_rest(connection: Connection, moment: datetime) -> None:
    """Put into the outbox which batches have ended, of those that it is time to ask of."""
    hooks = _listening(connection, select(batches.c.tenant).where(_at_rest(moment)))
    resting = select(batches).where(_at_rest(moment)).order_by(batches.c.id)
    found = connection.execute(resting.with_for_update(skip_locked=True)).all()
    told = []
    for batch in found:
        counts = states_of(connection, batch.id)
        if counts.keys() <= FINAL:
            data = {"id": batch.id, "name": batch.name, "counts": public_counts(counts)}
            told += [
                _message(hook, Event.BATCH_ENDED, data, moment)
                for hook in hooks
                if hook.tenant == batch.tenant and Event.BATCH_ENDED in hook.events
            ]
    if told:
        connection.execute(insert(deliveries), told)
    asked = update(batches).where(batches.c.id.in_([batch.id for batch in found]))
    connection.execute(asked.values(rest_at=None))


def _of_item(row: Row[Any]) -> dict[str, Any]:
    done = row.state == State.DONE
    return {
        "id": row.id, "state": PUBLIC_STATES[State(row.state)], "batch": row.batch,
        "content": f"/v1/images/{row.id}/content" if done else None,
        "sha256": row.output["sha256"] if done else None,
        "code": row.error_code,
    }  # fmt: skip


def _message(hook: Webhook, event: Event, data: dict[str, Any], moment: datetime) -> dict[str, Any]:
    return {
        "id": f"msg_{secrets.token_hex(12)}", "webhook": hook.id, "event": event,
        "payload": {"type": event, "timestamp": moment.isoformat(), "data": data},
        "state": Delivered.PENDING, "attempts": 0, "created_at": moment, "due_at": moment,
    }  # fmt: skip


def _is_due(moment: datetime) -> ColumnElement[bool]:
    return and_(IS_PENDING, deliveries.c.due_at <= moment)


def _own(connection: Connection, tenant: str, webhook_id: str) -> None:
    query = select(webhooks.c.id).where(webhooks.c.id == webhook_id, webhooks.c.tenant == tenant)
    if connection.execute(query).one_or_none() is None:
        raise NotFound


def _webhook(row: Row[Any]) -> Webhook:
    names = row.events.split(",")  # of a newer version, some that nobody here tells
    events = frozenset(event for event in Event if event in names)
    return Webhook(
        row.id, row.tenant, row.url, events, row.version, row.old_until, row.created_at,
        row.disabled_at,
    )  # fmt: skip


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        row.seq, row.id, row.webhook, Event(row.event), row.payload, Delivered(row.state),
        row.attempts, row.status, row.error, row.created_at, row.due_at,
    )  # fmt: skip
