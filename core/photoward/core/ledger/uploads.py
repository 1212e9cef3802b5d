"""Uploads: how much of each was received, and what it became; each change a compare-and-set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select, update

from photoward.core.errors import BadInput, Conflict, Overloaded
from photoward.core.ledger.database import Section
from photoward.core.ledger.engine import now
from photoward.core.ledger.queries import chunks, locked_tenant, the_one
from photoward.core.ledger.tables import uploads
from photoward.core.ledger.upload_tokens import charge
from photoward.core.uploads import DIRECT, LIFETIME, MAX_PARTS, Upload

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection, Row


class Uploads(Section):
    """All uploads.

    An upload that has expired counts as missing: all methods but ``parts_in_use`` raise NotFound.
    """

    def add(  # noqa: PLR0913  # one argument for each property, and the tenant's limits
        self,
        upload_id: str,
        tenant: str,
        length: int,
        metadata: str,
        *,
        max_uploads: int,
        max_bytes: int,
        token_id: str | None = None,
    ) -> Upload:
        """Add an upload of which nothing was received.

        Args:
            upload_id: of the new upload.
            tenant: owner.
            length: announced size, bytes.
            metadata: see ``Upload``.
            max_uploads: most unused uploads of the tenant.
            max_bytes: most bytes that they may announce together.
            token_id: the upload token that it is made with.

        Raises:
            Denied: ``token_used_up``.
            Overloaded: ``too_many_uploads``.
        """
        with self._database.transaction() as connection:
            locked_tenant(connection, tenant)
            moment = now(connection)
            unused = (
                uploads.c.tenant == tenant,
                uploads.c.item_id.is_(None),
                uploads.c.expires_at > moment,
            )
            counted = select(func.count(), func.sum(uploads.c.length)).where(*unused)
            count, announced = connection.execute(counted).one()
            announced = int(announced or 0)
            if count >= max_uploads or announced + length > max_bytes:
                detail = (
                    f"{count} of together {announced} bytes; {max_uploads} of {max_bytes} may be."
                )
                raise Overloaded(detail, "too_many_uploads")
            if token_id is not None:
                charge(connection, token_id, length)
            values: dict[str, Any] = {
                "id": upload_id,
                "token_id": token_id,
                "tenant": tenant,
                "length": length,
                "received": 0,
                "parts": [],
                "metadata": metadata,
                "created_at": moment,
                "expires_at": moment + LIFETIME,
            }
            statement = insert(uploads).values(values).returning(uploads)
            return _upload(connection.execute(statement).one())

    def get(self, tenant: str, upload_id: str) -> Upload:
        """The tenant's upload. Raises NotFound."""
        with self._database.read_transaction() as connection:
            return _upload(_row(connection, tenant, upload_id))

    def append_part(
        self, tenant: str, upload_id: str, part: str, size: int, *, start: int | None
    ) -> Upload:
        """Count a part that is in the store.

        Args:
            tenant: owner.
            upload_id: of the upload.
            part: name of the part.
            size: of the part, bytes.
            start: bytes that must have been received before; None: it replaces all parts.

        Raises:
            NotFound: no such upload of this tenant.
            Conflict: ``offset_differs``, or ``upload_used``.
            BadInput: ``body_too_large`` or ``too_many_parts``.
        """
        with self._database.transaction() as connection:
            row = _unused(connection, tenant, upload_id)
            if start is not None and start != row.received:
                raise Conflict("offset_differs", f"{row.received} bytes have arrived.")
            before = [] if start is None else row.parts
            received = (start or 0) + size
            if received > row.length:
                raise BadInput("body_too_large", f"{row.length} bytes were announced.")
            if len(before) >= MAX_PARTS:
                raise BadInput("too_many_parts", f"It has {MAX_PARTS} parts already.")
            return _changed(connection, upload_id, received=received, parts=[*before, part])

    def delete(self, tenant: str, upload_id: str) -> Upload:
        """Delete it; returned as it was, for the removal of its objects. Raises NotFound."""
        with self._database.transaction() as connection:
            row = _row(connection, tenant, upload_id, lock=True)
            connection.execute(delete(uploads).where(uploads.c.id == upload_id))
            return _upload(row)

    def parts_in_use(self, upload_ids: Collection[str]) -> dict[str, frozenset[str]]:
        """The names of the parts of those uploads that are unused, ``DIRECT`` included."""
        found: dict[str, frozenset[str]] = {}
        query = select(uploads.c.id, uploads.c.parts).where(uploads.c.item_id.is_(None))
        with self._database.read_transaction() as connection:
            for ids in chunks(sorted(upload_ids)):
                rows = connection.execute(query.where(uploads.c.id.in_(ids)))
                found.update({row.id: frozenset((*row.parts, DIRECT)) for row in rows})
        return found

    def prune(self) -> int:
        """Delete the uploads that have expired; how many."""
        with self._database.transaction() as connection:
            late = select(uploads.c.id).where(uploads.c.expires_at <= now(connection))
            gone = delete(uploads).where(uploads.c.id.in_(late.with_for_update(skip_locked=True)))
            return connection.execute(gone).rowcount


def use(connection: Connection, tenant: str, upload_id: str, item_id: str) -> None:
    """Note which item an upload became. Raises NotFound, or Conflict: ``upload_used``."""
    _unused(connection, tenant, upload_id)
    _changed(connection, upload_id, item_id=item_id, parts=[], metadata="")


def _unused(connection: Connection, tenant: str, upload_id: str) -> Row[Any]:
    row = _row(connection, tenant, upload_id, lock=True)
    if row.item_id is not None:
        raise Conflict("upload_used", "It has become a photo.")
    return row


def _row(connection: Connection, tenant: str, upload_id: str, *, lock: bool = False) -> Row[Any]:
    own = (uploads.c.id == upload_id, uploads.c.tenant == tenant)
    query = select(uploads).where(*own, uploads.c.expires_at > now(connection))
    return the_one(connection.execute(query.with_for_update() if lock else query).one_or_none())


def _changed(connection: Connection, upload_id: str, **values: object) -> Upload:
    statement = update(uploads).where(uploads.c.id == upload_id).values(values)
    return _upload(connection.execute(statement.returning(uploads)).one())


def _upload(row: Row[Any]) -> Upload:
    return Upload(
        id=row.id,
        tenant=row.tenant,
        length=row.length,
        received=row.received,
        parts=tuple(row.parts),
        metadata=row.metadata,
        item_id=row.item_id,
        expires_at=row.expires_at,
    )
