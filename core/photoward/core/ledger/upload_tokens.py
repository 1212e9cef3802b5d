"""Upload tokens: what each may still submit, and what was submitted with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, or_, select, update

from photoward.core.api_keys import UploadToken
from photoward.core.errors import Denied, NotFound
from photoward.core.ledger.database import Section
from photoward.core.ledger.engine import now
from photoward.core.ledger.queries import locked_tenant
from photoward.core.ledger.tables import api_keys, items, tenants, upload_tokens, uploads

if TYPE_CHECKING:
    from datetime import timedelta

    from sqlalchemy import Connection, Row

    from photoward.core.api_keys import NewApiKey


class UploadTokens(Section):
    """The upload tokens of all tenants."""

    def add(  # noqa: PLR0913  # one argument for each property of the new token
        self,
        new: NewApiKey,
        tenant: str,
        *,
        key_id: str | None,
        lifetime: timedelta,
        max_images: int,
        max_bytes: int,
    ) -> UploadToken:
        """Store a new token.

        Args:
            new: the token.
            tenant: owner.
            key_id: of the API key that it was made with: it is valid no longer than that key;
                None: where no keys are required.
            lifetime: after which it expires.
            max_images: most images that may be submitted with it.
            max_bytes: most bytes that they may have together.
        """
        with self._database.transaction() as connection:
            locked_tenant(connection, tenant)
            moment = now(connection)
            values = {
                "id": new.id,
                "tenant": tenant,
                "key_id": key_id,
                "digest": new.digest,
                "created_at": moment,
                "expires_at": moment + lifetime,
                "max_images": max_images,
                "max_bytes": max_bytes,
                "images": 0,
                "bytes": 0,
            }
            statement = insert(upload_tokens).values(values).returning(upload_tokens)
            return _token(connection.execute(statement).one())

    def get_active(self, token_id: str) -> UploadToken | None:
        """The token of that id with its tenant's salt; None: there is none, or it has expired.

        It has expired as well when the key that it was made with has.
        """
        with self._database.read_transaction() as connection:
            moment = now(connection)
            key = select(api_keys.c.id).where(
                api_keys.c.id == upload_tokens.c.key_id,
                or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > moment),
            )
            query = (
                select(upload_tokens, tenants.c.salt)
                .join(tenants, tenants.c.id == upload_tokens.c.tenant)
                .where(
                    upload_tokens.c.id == token_id,
                    upload_tokens.c.expires_at > moment,
                    or_(upload_tokens.c.key_id.is_(None), key.exists()),
                )
            )
            row = connection.execute(query).one_or_none()
        return None if row is None else _token(row, bytes(row.salt))

    def require_own(
        self, token_id: str, *, item_id: str | None = None, upload_id: str | None = None
    ) -> None:
        """Raises NotFound: that item or upload was not submitted with this token."""
        table, wanted = (items, item_id) if item_id is not None else (uploads, upload_id)
        query = select(table.c.id).where(table.c.id == wanted, table.c.token_id == token_id)
        if self._database.scalar(query) is None:
            raise NotFound

    def prune(self) -> int:
        """Delete the tokens that have expired; how many."""
        with self._database.transaction() as connection:
            late = select(upload_tokens.c.id).where(upload_tokens.c.expires_at <= now(connection))
            old = upload_tokens.c.id.in_(late.with_for_update(skip_locked=True))
            return connection.execute(delete(upload_tokens).where(old)).rowcount


def charge(connection: Connection, token_id: str, size: int) -> None:
    """Count one more image of so many bytes. Raises Denied: ``token_used_up``."""
    mine = upload_tokens.c.id == token_id
    row = connection.execute(select(upload_tokens).where(mine).with_for_update()).one_or_none()
    if row is None or row.images >= row.max_images or row.bytes + size > row.max_bytes:
        left = "It has expired." if row is None else _left(row)
        raise Denied("token_used_up", left)
    values = {"images": row.images + 1, "bytes": row.bytes + size}
    connection.execute(update(upload_tokens).where(mine).values(values))


def _left(row: Row[Any]) -> str:
    return (
        f"{row.images} of {row.max_images} images and {row.bytes} of {row.max_bytes} bytes have "
        "been submitted with it."
    )


def _token(row: Row[Any], salt: bytes = b"") -> UploadToken:
    return UploadToken(
        id=row.id,
        tenant=row.tenant,
        digest=bytes(row.digest),
        expires_at=row.expires_at,
        max_images=row.max_images,
        max_bytes=row.max_bytes,
        salt=salt,
    )
