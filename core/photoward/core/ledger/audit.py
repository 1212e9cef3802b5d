"""The audit log: each entry is written in the transaction of the action that it records.

Entries are added, and deleted when they are old or their tenant is erased; none is changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from photoward.core.audit import SUCCESS, Actor, AuditAction, AuditEntry, current_actor
from photoward.core.ledger.database import Section
from photoward.core.ledger.engine import now
from photoward.core.ledger.paging import in_order
from photoward.core.ledger.tables import api_keys, audit_log

if TYPE_CHECKING:
    from datetime import timedelta

    from sqlalchemy import Connection


class AuditLog(Section):
    """Who did what to which resource; the actor is that of ``core.audit``."""

    def list_entries(
        self, tenant: str | None, *, after: int, limit: int, newest_first: bool = False
    ) -> list[AuditEntry]:
        """Up to ``limit`` entries of a tenant (None: of all), oldest first.

        Args:
            tenant: owner of what they are about.
            after: ``seq`` of the last entry of the page before; 0 for the first page.
            limit: most entries.
            newest_first: whether they come in the opposite order.
        """
        query = in_order(select(audit_log), audit_log.c.seq, after, newest_first=newest_first)
        if tenant is not None:
            query = query.where(audit_log.c.tenant == tenant)
        with self._database.read_transaction() as connection:
            return [
                AuditEntry(
                    seq=row.seq,
                    at=row.at,
                    tenant=row.tenant,
                    action=AuditAction(row.action),
                    resource_id=row.resource_id,
                    detail=row.detail,
                    outcome=row.outcome,
                    actor=Actor(row.actor, row.request_id, row.address),
                )
                for row in connection.execute(query.limit(limit))
            ]

    def record_denial(self, code: str, key_id: str | None) -> None:
        """Record that a request was refused with ``code``, perhaps with a key of that id."""
        with self._database.transaction() as connection:
            owner = select(api_keys.c.tenant).where(api_keys.c.id == key_id)
            tenant = connection.execute(owner).scalar_one_or_none()
            known = key_id if tenant is not None else None
            record(connection, tenant, AuditAction.ACCESS_DENY, known, outcome=code)

    def prune(self, older_than: timedelta) -> int:
        """Delete old entries; how many."""
        with self._database.transaction() as connection:
            old = audit_log.c.at < now(connection) - older_than
            return connection.execute(delete(audit_log).where(old)).rowcount


def record(  # noqa: PLR0913  # one argument for each column that the caller knows
    connection: Connection,
    tenant: str | None,
    action: AuditAction,
    resource_id: str | None = None,
    detail: str | None = None,
    *,
    outcome: str = SUCCESS,
) -> None:
    """Add an entry in the transaction of the action, so that both are kept or neither."""
    actor = current_actor()
    values = {
        "at": now(connection),
        "tenant": tenant,
        "action": action,
        "resource_id": resource_id,
        "detail": detail,
        "outcome": outcome,
        "actor": actor.name,
        "request_id": actor.request,
        "address": actor.address,
    }
    connection.execute(insert(audit_log).values(values))
