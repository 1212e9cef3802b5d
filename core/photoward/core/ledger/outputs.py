"""Which protected file is whose: the digests of all outputs that there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, insert, select

from photoward.core.ledger.database import Section
from photoward.core.ledger.tables import items, outputs

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy import Connection

    from photoward.core.jobs import Output


class Outputs(Section):
    """The digests of all files of all items that are not deleted."""

    def find_item(self, tenant: str, sha256: str) -> str | None:
        """The id of the tenant's item that this is a file of; None: it is of none."""
        mine = outputs.c.tenant == tenant, outputs.c.sha256 == sha256
        query = select(outputs.c.item_id).where(*mine).order_by(outputs.c.item_id).limit(1)
        found: str | None = self._database.scalar(query)
        return found


_OWNER = select(items.c.tenant).where(items.c.id == bindparam("item")).scalar_subquery()
_INSERT = insert(outputs).values(
    tenant=_OWNER, sha256=bindparam("digest"), item_id=bindparam("item")
)


def record_outputs(connection: Connection, made: Mapping[str, Output]) -> None:
    """Keep the digests of finished items, which this transaction has locked, by id."""
    new = [
        {"item": item_id, "digest": sha256}
        for item_id, output in made.items()
        for sha256 in sorted({one.sha256 for one in output.files})
    ]
    if new:
        connection.execute(_INSERT, new)


def forget_outputs(connection: Connection, item_ids: Collection[str]) -> None:
    """Delete the digests of these items."""
    connection.execute(delete(outputs).where(outputs.c.item_id.in_(item_ids)))
