"""Uploads: how much of each has come, and what it became; each change a compare-and-set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select, update

from photoward.core.errors import BadInput, Conflict, NotFound, Overloaded
from photoward.core.ledger.engine import now
from photoward.core.ledger.selection import in_parts, locked_tenant
from photoward.core.ledger.tables import uploads
from photoward.core.ledger.transactions import Transactions
from photoward.core.uploads import DIRECT, LIFETIME, MAX_PARTS, Upload

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection, Row


class SqlUploads(Transactions):
    """The ``Uploads`` part of the ledger; see the port."""

    def add_upload(  # noqa: PLR0913  # what makes an upload, and its bounds
        self, upload_id: str, tenant: str, length: int, metadata: str, *, most: int, most_bytes: int
    ) -> Upload:  # fmt: skip
        """See the port."""
        with self._writing() as connection:
            locked_tenant(connection, tenant)
            moment = now(connection)
            unused = (
                uploads.c.tenant == tenant, uploads.c.item.is_(None), uploads.c.expires_at > moment
            )  # fmt: skip
            counted = select(func.count(), func.sum(uploads.c.length)).where(*unused)
            count, announced = connection.execute(counted).one()
            announced = int(announced or 0)
            if count >= most or announced + length > most_bytes:
                detail = f"{count} of together {announced} bytes; {most} of {most_bytes} may be."
                raise Overloaded(detail, "too_many_uploads")
            values = {
                "id": upload_id, "tenant": tenant, "length": length, "arrived": 0, "parts": [],
                "metadata": metadata, "created_at": moment, "expires_at": moment + LIFETIME,
            }  # fmt: skip
            statement = insert(uploads).values(values).returning(uploads)
            return _upload(connection.execute(statement).one())

    def upload(self, tenant: str, upload_id: str) -> Upload:
        """See the port."""
        with self._reading() as connection:
            return _upload(_the_row(connection, tenant, upload_id))

    def write_upload(
        self, tenant: str, upload_id: str, part: str, size: int, *, start: int | None
    ) -> Upload:
        """See the port."""
        with self._writing() as connection:
            row = _unused(connection, tenant, upload_id)
            if start is not None and start != row.arrived:
                raise Conflict("offset_differs", f"{row.arrived} bytes have arrived.")
            before = [] if start is None else row.parts
            arrived = (start or 0) + size
            if arrived > row.length:
                raise BadInput("body_too_large", f"{row.length} bytes were announced.")
            if len(before) >= MAX_PARTS:
                raise BadInput("too_many_parts", f"It has {MAX_PARTS} parts already.")
            return _changed(connection, upload_id, arrived=arrived, parts=[*before, part])

    def remove_upload(self, tenant: str, upload_id: str) -> Upload:
        """See the port."""
        with self._writing() as connection:
            row = _the_row(connection, tenant, upload_id, lock=True)
            connection.execute(delete(uploads).where(uploads.c.id == upload_id))
            return _upload(row)

    def parts_needed(self, upload_ids: Collection[str]) -> dict[str, frozenset[str]]:
        """See the port."""
        found: dict[str, frozenset[str]] = {}
        query = select(uploads.c.id, uploads.c.parts).where(uploads.c.item.is_(None))
        with self._reading() as connection:
            for some in in_parts(sorted(upload_ids)):
                rows = connection.execute(query.where(uploads.c.id.in_(some)))
                found.update({row.id: frozenset((*row.parts, DIRECT)) for row in rows})
        return found

    def prune_uploads(self) -> int:
        """See the port."""
        with self._writing() as connection:
            late = select(uploads.c.id).where(uploads.c.expires_at <= now(connection))
            gone = delete(uploads).where(uploads.c.id.in_(late.with_for_update(skip_locked=True)))
            return connection.execute(gone).rowcount


def use(connection: Connection, tenant: str, upload_id: str, item_id: str) -> None:
    """Note what an upload became. Raises NotFound, or Conflict: ``upload_used``."""
    _unused(connection, tenant, upload_id)
    _changed(connection, upload_id, item=item_id, parts=[], metadata="")


def _unused(connection: Connection, tenant: str, upload_id: str) -> Row[Any]:
    row = _the_row(connection, tenant, upload_id, lock=True)
    if row.item is not None:
        raise Conflict("upload_used", "It has become a photo.")
    return row


def _the_row(
    connection: Connection, tenant: str, upload_id: str, *, lock: bool = False
) -> Row[Any]:
    own = (uploads.c.id == upload_id, uploads.c.tenant == tenant)
    query = select(uploads).where(*own, uploads.c.expires_at > now(connection))
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFound
    return row


def _changed(connection: Connection, upload_id: str, **values: Any) -> Upload:  # noqa: ANN401  # of each column
    statement = update(uploads).where(uploads.c.id == upload_id).values(values)
    return _upload(connection.execute(statement.returning(uploads)).one())


def _upload(row: Row[Any]) -> Upload:
    return Upload(
        row.id, row.tenant, row.length, row.arrived, tuple(row.parts), row.metadata, row.item,
        row.expires_at,
    )  # fmt: skip
