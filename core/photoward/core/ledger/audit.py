"""The audit log: entries that are written in the transactions of the deeds that they tell of.

They are added, and forgotten when they are old or their tenant is; nothing changes one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from photoward.core.audit import DONE, Actor, Deed, Entry, acting
from photoward.core.ledger.engine import now
from photoward.core.ledger.tables import audit, keys
from photoward.core.ledger.transactions import Transactions

if TYPE_CHECKING:
    from datetime import timedelta

    from sqlalchemy import Connection


class SqlAudit(Transactions):
    """The ``Audit`` part of the ledger; see the port."""

    def entries(self, tenant: str | None, *, after: int, limit: int) -> list[Entry]:
        """See the port."""
        query = select(audit).where(audit.c.seq > after).order_by(audit.c.seq).limit(limit)
        if tenant is not None:
            query = query.where(audit.c.tenant == tenant)
        with self._reading() as connection:
            return [
                Entry(
                    row.seq, row.at, row.tenant, Deed(row.deed), row.thing, row.detail,
                    row.outcome, Actor(row.actor, row.request, row.address),
                )
                for row in connection.execute(query)
            ]  # fmt: skip

    def note_refusal(self, code: str, key_id: str | None) -> None:
        """See the port."""
        with self._writing() as connection:
            owner = select(keys.c.tenant).where(keys.c.id == key_id)
            tenant = connection.execute(owner).scalar_one_or_none()
            known = key_id if tenant is not None else None
            record(connection, tenant, Deed.ACCESS_REFUSED, known, outcome=code)

    def prune_audit(self, older_than: timedelta) -> int:
        """See the port."""
        with self._writing() as connection:
            old = audit.c.at < now(connection) - older_than
            return connection.execute(delete(audit).where(old)).rowcount


def record(  # noqa: PLR0913  # what makes an entry
    connection: Connection, tenant: str | None, deed: Deed, thing: str | None = None,
    detail: str | None = None, *, outcome: str = DONE,
) -> None:  # fmt: skip
    """Keep a deed, if the transaction that does it is committed."""
    actor = acting()
    values = {
        "at": now(connection), "tenant": tenant, "deed": deed, "thing": thing, "detail": detail,
        "outcome": outcome, "actor": actor.name, "request": actor.request,
        "address": actor.address,
    }  # fmt: skip
    connection.execute(insert(audit).values(values))
