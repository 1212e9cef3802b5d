"""Webhooks and their deliveries, an outbox.

A delivery is added in the transaction of the event that it reports: nothing ends without its
delivery, and no delivery reports what did not happen.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, exists, insert, select, update

from photoward.core.audit import AuditAction
from photoward.core.errors import Conflict, NotFound
from photoward.core.jobs import FINAL_STATES, PUBLIC_STATES, Callback, State, public_counts
from photoward.core.ledger.audit import record
from photoward.core.ledger.database import Section
from photoward.core.ledger.engine import clock, now
from photoward.core.ledger.paging import in_order
from photoward.core.ledger.queries import count_states, locked_tenant, the_one
from photoward.core.ledger.tables import IS_PENDING, batches, items, webhook_deliveries, webhooks
from photoward.core.webhooks import (
    BATCH_QUIET_PERIOD,
    CALLBACK_URL,
    Delivery,
    DeliveryState,
    Event,
    Webhook,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Row, Select

_SUCCESS = range(200, 300)

EVENTS = {
    State.DONE: Event.IMAGE_SUCCEEDED,
    State.FAILED: Event.IMAGE_FAILED,
    State.CANCELLED: Event.IMAGE_CANCELED,
}


class Webhooks(Section):
    """All webhooks, and the messages to them."""

    def add(
        self,
        webhook_id: str,
        tenant: str,
        url: str,
        events: Collection[Event],
        base_url: str | None = None,
    ) -> Webhook:
        """Send a tenant's events to a URL from now on; links begin with ``base_url``."""
        with self._database.transaction() as connection:
            locked_tenant(connection, tenant)
            values = {
                "id": webhook_id,
                "tenant": tenant,
                "url": url,
                "events": ",".join(sorted(events)),
                "secret_version": 1,
                "created_at": now(connection),
                "base_url": base_url,
            }
            record(connection, tenant, AuditAction.WEBHOOK_CREATE, webhook_id)
            statement = insert(webhooks).values(values).returning(webhooks)
            return _webhook(connection.execute(statement).one())

    def of_callbacks(self, tenant: str) -> Webhook:
        """The webhook that stands for the tenant's callbacks; created if there is none."""
        with self._database.transaction() as connection:
            locked_tenant(connection, tenant)
            return ensure_callbacks(connection, tenant)

    def add_test(self, tenant: str, webhook_id: str) -> Delivery:
        """Add a message of the event ``TEST``.

        Raises:
            Conflict: ``webhook_disabled``; ``no_url``: it stands for callbacks.
            NotFound: there is no such webhook.
        """
        with self._database.transaction() as connection:
            query = select(webhooks).where(*_is(tenant, webhook_id))
            staying = query.with_for_update(read=True, key_share=True)
            hook = _webhook(the_one(connection.execute(staying).one_or_none()))
            if hook.disabled_at is not None:
                raise Conflict("webhook_disabled", "Its receiver answered 410.")
            if hook.url == CALLBACK_URL:
                raise Conflict("no_url", "It signs callbacks, each of which has its own URL.")
            message = _message(hook, Event.TEST, {"id": hook.id}, now(connection))
            statement = insert(webhook_deliveries).values(message).returning(webhook_deliveries)
            return _delivery(connection.execute(statement).one())

    def list_all(self, tenant: str) -> list[Webhook]:
        """All of the tenant's webhooks, oldest first."""
        query = select(webhooks).where(webhooks.c.tenant == tenant)
        with self._database.read_transaction() as connection:
            found = connection.execute(query.order_by(webhooks.c.created_at, webhooks.c.id))
            return [_webhook(row) for row in found]

    def rotate_secret(self, tenant: str, webhook_id: str, grace: timedelta) -> Webhook:
        """Replace the secret; the previous one signs as well for ``grace``.

        A disabled webhook is enabled again. Raises NotFound.
        """
        with self._database.transaction() as connection:
            statement = (
                update(webhooks)
                .where(*_is(tenant, webhook_id))
                .values(
                    secret_version=webhooks.c.secret_version + 1,
                    previous_secret_until=now(connection) + grace,
                    disabled_at=None,
                )
                .returning(webhooks)
            )
            row = the_one(connection.execute(statement).one_or_none())
            record(connection, tenant, AuditAction.WEBHOOK_ROTATE, webhook_id)
            return _webhook(row)

    def delete(self, tenant: str, webhook_id: str) -> None:
        """Delete it and its deliveries. Raises NotFound."""
        with self._database.transaction() as connection:
            if not delete_webhooks(connection, *_is(tenant, webhook_id)):
                raise NotFound
            record(connection, tenant, AuditAction.WEBHOOK_DELETE, webhook_id)

    def list_deliveries(
        self,
        tenant: str,
        webhook_id: str,
        *,
        after: int,
        limit: int,
        newest_first: bool = False,
    ) -> list[Delivery]:
        """Up to ``limit`` of its deliveries, oldest first. Raises NotFound.

        Args:
            tenant: owner.
            webhook_id: of the webhook.
            after: ``seq`` of the last delivery of the page before; 0 for the first page.
            limit: most deliveries.
            newest_first: whether they come in the opposite order.
        """
        theirs = select(webhook_deliveries).where(webhook_deliveries.c.webhook_id == webhook_id)
        query = in_order(theirs, webhook_deliveries.c.seq, after, newest_first=newest_first)
        with self._database.read_transaction() as connection:
            _require(connection, tenant, webhook_id)
            return [_delivery(row) for row in connection.execute(query.limit(limit))]

    def replay(self, tenant: str, webhook_id: str, delivery_id: str) -> Delivery:
        """Deliver a message again with all attempts. Raises NotFound."""
        with self._database.transaction() as connection:
            _require(connection, tenant, webhook_id)
            statement = (
                update(webhook_deliveries)
                .where(
                    webhook_deliveries.c.id == delivery_id,
                    webhook_deliveries.c.webhook_id == webhook_id,
                )
                .values(state=DeliveryState.PENDING, attempts=0, next_attempt_at=now(connection))
                .returning(webhook_deliveries)
            )
            return _delivery(the_one(connection.execute(statement).one_or_none()))

    def list_due(self) -> list[Webhook]:
        """All enabled webhooks with deliveries that are due, in no order.

        First it adds the deliveries of batches that have ended: all of their items have, and none
        was added for ``BATCH_QUIET_PERIOD``.
        """
        self._check_batches()
        with self._database.read_transaction() as connection:
            due = exists().where(
                webhook_deliveries.c.webhook_id == webhooks.c.id, _is_due(now(connection))
            )
            found = select(webhooks).where(webhooks.c.disabled_at.is_(None), due)
            return [_webhook(row) for row in connection.execute(found)]

    def claim_deliveries(self, webhook_id: str, limit: int, lease: timedelta) -> list[Delivery]:
        """Lease up to ``limit`` of a webhook's due deliveries, oldest first."""
        with self._database.transaction() as connection:
            moment = now(connection)
            free = (
                select(webhook_deliveries.c.seq)
                .where(webhook_deliveries.c.webhook_id == webhook_id, _is_due(moment))
                .order_by(webhook_deliveries.c.next_attempt_at, webhook_deliveries.c.seq)
                .limit(limit)
                .with_for_update(skip_locked=True)
            )
            chosen = list(connection.execute(free).scalars())
            if not chosen:
                return []
            claimed = (
                update(webhook_deliveries)
                .where(webhook_deliveries.c.seq.in_(chosen))
                .values(next_attempt_at=moment + lease, attempts=webhook_deliveries.c.attempts + 1)
                .returning(webhook_deliveries)
            )
            found = [_delivery(row) for row in connection.execute(claimed)]
            return sorted(found, key=lambda delivery: delivery.seq)

    def record_attempt(
        self, delivery: Delivery, status: int | None, error: str | None, retry: timedelta | None
    ) -> None:
        """Store the result of an attempt; a report of one that was overtaken changes nothing.

        Args:
            delivery: as it was claimed.
            status: HTTP status of the answer; 2xx ends the delivery.
            error: why there was no answer.
            retry: wait before the next attempt; None: it was the last.
        """
        with self._database.transaction() as connection:
            moment = now(connection)
            accepted = status is not None and status in _SUCCESS
            state = DeliveryState.DELIVERED if accepted else DeliveryState.FAILED
            values: dict[str, Any] = {"status": status, "error": error, "next_attempt_at": moment}
            if not accepted and retry is not None:
                state, values["next_attempt_at"] = DeliveryState.PENDING, moment + retry
            connection.execute(
                update(webhook_deliveries)
                .where(
                    webhook_deliveries.c.seq == delivery.seq,
                    webhook_deliveries.c.attempts == delivery.attempts,
                    webhook_deliveries.c.state == DeliveryState.PENDING,
                )
                .values(values | {"state": state})
            )

    def disable(self, webhook_id: str) -> None:
        """Send it nothing more: its receiver is gone. Its pending deliveries fail."""
        with self._database.transaction() as connection:
            statement = update(webhooks).where(webhooks.c.id == webhook_id)
            connection.execute(statement.values(disabled_at=now(connection)))
            pending = (
                webhook_deliveries.c.webhook_id == webhook_id,
                webhook_deliveries.c.state == DeliveryState.PENDING,
            )
            failed = update(webhook_deliveries).where(*pending)
            connection.execute(failed.values(state=DeliveryState.FAILED))

    def prune_deliveries(self, older_than: timedelta) -> int:
        """Delete old deliveries that have ended; how many."""
        with self._database.transaction() as connection:
            ended = select(webhook_deliveries.c.seq).where(
                webhook_deliveries.c.state != DeliveryState.PENDING,
                webhook_deliveries.c.created_at < now(connection) - older_than,
            )
            old = webhook_deliveries.c.seq.in_(ended.with_for_update(skip_locked=True))
            return connection.execute(delete(webhook_deliveries).where(old)).rowcount

    def _check_batches(self) -> None:
        with self._database.read_transaction() as connection:  # mostly there is none: spare writers
            some = select(batches.c.id).where(_check_is_due(now(connection))).limit(1)
            if connection.execute(some).one_or_none() is None:
                return
        with self._database.transaction() as connection:
            _enqueue_ended_batches(connection, now(connection))


def note_ended(connection: Connection, ended: Iterable[int]) -> None:
    """These items have ended: set when they expire, and add the messages that say so.

    A message for each webhook that subscribes to it, and for the item's callback.
    """
    seqs = list(ended)
    if not seqs:
        return
    these = items.c.seq.in_(seqs)
    _set_expiry(connection, these)
    hooks = _told(connection, select(items.c.tenant).where(these))
    if not hooks:
        return
    rows = connection.execute(select(items).where(these)).all()
    moment = now(connection)
    messages = [
        message
        for row in rows
        for message in _messages(hooks, row, EVENTS[State(row.state)], _image_data(row), moment)
    ]
    schedule_batch_check(connection, sorted({row.batch_id for row in rows if row.batch_id}))
    if messages:
        connection.execute(insert(webhook_deliveries), messages)


def _set_expiry(connection: Connection, these: ColumnElement[bool]) -> None:
    retained = these, items.c.retention_s.is_not(None)
    periods = connection.execute(select(items.c.retention_s).where(*retained).distinct())
    for seconds in periods.scalars().all():
        expiring = update(items).where(these, items.c.retention_s == seconds)
        moment = clock(connection, timedelta(seconds=seconds))
        connection.execute(expiring.values(expires_at=moment))


def ensure_callbacks(connection: Connection, tenant: str) -> Webhook:
    """The webhook that stands for the callbacks of a tenant, whose row is locked."""
    mine = webhooks.c.tenant == tenant, webhooks.c.url == CALLBACK_URL
    row = connection.execute(select(webhooks).where(*mine)).one_or_none()
    if row is None:
        values = {
            "id": secrets.token_hex(8),
            "tenant": tenant,
            "url": CALLBACK_URL,
            "events": "",
            "secret_version": 1,
            "created_at": now(connection),
        }
        row = connection.execute(insert(webhooks).values(values).returning(webhooks)).one()
    return _webhook(row)


def schedule_batch_check(connection: Connection, batch_ids: Sequence[str]) -> None:
    """Have it checked whether these batches have ended: of a closed one at once.

    Of an open one after ``BATCH_QUIET_PERIOD``: while its photos are submitted one by one, all have
    ended each time.
    """
    known = select(batches.c.id, batches.c.closed_at).where(batches.c.id.in_(batch_ids))
    locked = known.order_by(batches.c.id).with_for_update()
    found = connection.execute(locked).all() if batch_ids else []
    for closed, wait in ((True, timedelta()), (False, BATCH_QUIET_PERIOD)):
        these = [row.id for row in found if (row.closed_at is not None) is closed]
        if these:
            later = {"quiet_check_at": clock(connection, wait)}
            connection.execute(update(batches).where(batches.c.id.in_(these)).values(later))


def delete_webhooks(connection: Connection, *which: ColumnElement[bool]) -> int:
    """Delete webhooks and their deliveries; how many webhooks.

    They are locked first, as by a transaction that adds deliveries to them: either it finds them
    gone, or they wait for it.
    """
    found = select(webhooks.c.id).where(*which).order_by(webhooks.c.id).with_for_update()
    ids = list(connection.execute(found).scalars())
    connection.execute(delete(webhook_deliveries).where(webhook_deliveries.c.webhook_id.in_(ids)))
    return connection.execute(delete(webhooks).where(webhooks.c.id.in_(ids))).rowcount


def _told(connection: Connection, tenants: Select[Any]) -> list[Webhook]:
    """The tenants' enabled webhooks, locked so that they stay until their messages are there."""
    query = select(webhooks).where(webhooks.c.tenant.in_(tenants), webhooks.c.disabled_at.is_(None))
    staying = query.order_by(webhooks.c.id).with_for_update(read=True, key_share=True)
    return [_webhook(row) for row in connection.execute(staying)]


def _check_is_due(moment: datetime) -> ColumnElement[bool]:
    return batches.c.quiet_check_at <= moment


def _enqueue_ended_batches(connection: Connection, moment: datetime) -> None:
    """Check the batches whose check is due, and add the deliveries of those that have ended."""
    hooks = _told(connection, select(batches.c.tenant).where(_check_is_due(moment)))
    due = select(batches).where(_check_is_due(moment)).order_by(batches.c.id)
    found = connection.execute(due.with_for_update(skip_locked=True)).all()
    messages = []
    for batch in found:
        counts = count_states(connection, [batch.id]).get(batch.id, {})
        if counts.keys() <= FINAL_STATES:
            data = {
                "id": batch.id,
                "name": batch.name,
                "reference": batch.reference,
                "metadata": batch.metadata or {},
                "counts": public_counts(counts),
                "refused": batch.refused,
                "links": {
                    "self": f"/v1/batches/{batch.id}",
                    "results": f"/v1/batches/{batch.id}/results",
                },
            }
            messages += _messages(hooks, batch, Event.BATCH_COMPLETED, data, moment)
    if messages:
        connection.execute(insert(webhook_deliveries), messages)
    checked = update(batches).where(batches.c.id.in_([batch.id for batch in found]))
    connection.execute(checked.values(quiet_check_at=None))


def _image_data(row: Row[Any]) -> dict[str, Any]:
    done = row.state == State.DONE
    return {
        "id": row.id,
        "reference": row.reference,
        "metadata": row.metadata or {},
        "state": PUBLIC_STATES[State(row.state)],
        "batch": row.batch_id,
        "links": {
            "self": f"/v1/images/{row.id}",
            "content": f"/v1/images/{row.id}/content" if done else None,
        },
        "sha256": row.output["sha256"] if done else None,
        "code": row.error_code,
    }


def _messages(
    hooks: Sequence[Webhook], row: Row[Any], event: Event, data: dict[str, Any], moment: datetime
) -> list[dict[str, Any]]:
    """The messages of one event of an item or batch."""
    mine = [hook for hook in hooks if hook.tenant == row.tenant]
    found = [_message(hook, event, data, moment) for hook in mine if event in hook.events]
    if row.callback:
        found += [
            _message(hook, event, data, moment, Callback(**row.callback))
            for hook in mine
            if hook.url == CALLBACK_URL
        ]
    return found


def _message(
    hook: Webhook,
    event: Event,
    data: dict[str, Any],
    moment: datetime,
    callback: Callback | None = None,
) -> dict[str, Any]:
    return {
        "url": None if callback is None else callback.url,
        "base_url": hook.base_url if callback is None else callback.base_url,
        "id": f"msg_{secrets.token_hex(12)}",
        "webhook_id": hook.id,
        "event": event,
        "payload": {"type": event, "timestamp": moment.isoformat(), "data": data},
        "state": DeliveryState.PENDING,
        "attempts": 0,
        "created_at": moment,
        "next_attempt_at": moment,
    }


def _is_due(moment: datetime) -> ColumnElement[bool]:
    return and_(IS_PENDING, webhook_deliveries.c.next_attempt_at <= moment)


def _is(tenant: str, webhook_id: str) -> tuple[ColumnElement[bool], ...]:
    return webhooks.c.id == webhook_id, webhooks.c.tenant == tenant


def _require(connection: Connection, tenant: str, webhook_id: str) -> None:
    query = select(webhooks.c.id).where(*_is(tenant, webhook_id))
    the_one(connection.execute(query).one_or_none())


def _webhook(row: Row[Any]) -> Webhook:
    names = row.events.split(",")  # of a newer version, some that are unknown here
    return Webhook(
        id=row.id,
        tenant=row.tenant,
        url=row.url,
        events=frozenset(event for event in Event if event in names),
        secret_version=row.secret_version,
        previous_secret_until=row.previous_secret_until,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
        base_url=row.base_url,
    )


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        seq=row.seq,
        id=row.id,
        webhook_id=row.webhook_id,
        event=Event(row.event),
        payload=row.payload,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        status=row.status,
        error=row.error,
        created_at=row.created_at,
        next_attempt_at=row.next_attempt_at,
        url=row.url,
        base_url=row.base_url,
    )
