"""API keys."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, or_, select, update

from photoward.core.api_keys import ApiKey, Scope
from photoward.core.audit import AuditAction
from photoward.core.errors import NotFound
from photoward.core.ledger.audit import record
from photoward.core.ledger.database import Section
from photoward.core.ledger.engine import now
from photoward.core.ledger.queries import locked_tenant
from photoward.core.ledger.tables import api_keys, tenants

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime, timedelta

    from sqlalchemy import ColumnElement, Connection, Row

    from photoward.core.api_keys import NewApiKey


class ApiKeys(Section):
    """The API keys of all tenants."""

    def add(
        self,
        new: NewApiKey,
        tenant: str,
        name: str,
        scopes: Collection[Scope],
        lifetime: timedelta | None,
    ) -> ApiKey:
        """Store a new key; ``lifetime`` None: it never expires."""
        with self._database.transaction() as connection:
            locked_tenant(connection, tenant)
            key = _insert(connection, new, tenant, name, scopes, lifetime)
            detail = ",".join(sorted(scopes))
            record(connection, tenant, AuditAction.KEY_CREATE, key.id, detail)
            return key

    def get_active(self, key_id: str) -> ApiKey | None:
        """The key of that id with its tenant's salt; None: there is none, or it has expired."""
        with self._database.read_transaction() as connection:
            query = (
                select(api_keys, tenants.c.salt)
                .join(tenants, tenants.c.id == api_keys.c.tenant)
                .where(api_keys.c.id == key_id, _is_active(now(connection)))
            )
            row = connection.execute(query).one_or_none()
        return None if row is None else replace(_key(row), salt=bytes(row.salt))

    def any_active(self) -> bool:
        """Whether there is a key that has not expired."""
        with self._database.read_transaction() as connection:
            query = select(api_keys.c.id).where(_is_active(now(connection))).limit(1)
            return connection.execute(query).one_or_none() is not None

    def list_all(self, tenant: str) -> list[ApiKey]:
        """All of the tenant's keys, oldest first, including expired ones."""
        mine = select(api_keys).where(api_keys.c.tenant == tenant)
        query = mine.order_by(api_keys.c.created_at, api_keys.c.id)
        with self._database.read_transaction() as connection:
            return [_key(row) for row in connection.execute(query)]

    def revoke(self, tenant: str, key_id: str, after: timedelta) -> ApiKey:
        """Let a key expire after that time, unless it does earlier. Raises NotFound."""
        with self._database.transaction() as connection:
            key = _the_key(connection, tenant, key_id)
            record(connection, tenant, AuditAction.KEY_REVOKE, key_id)
            return _expire(connection, key, now(connection) + after)

    def rotate(self, tenant: str, key_id: str, new: NewApiKey, grace: timedelta) -> ApiKey:
        """Replace a key by a new one of the same name, scopes and lifetime.

        The old one expires after ``grace``. Raises NotFound.
        """
        with self._database.transaction() as connection:
            locked_tenant(connection, tenant)
            old = _the_key(connection, tenant, key_id)
            moment = now(connection)
            lifetime = None if old.expires_at is None else old.expires_at - old.created_at
            key = _insert(connection, new, tenant, old.name, old.scopes, lifetime)
            _expire(connection, old, moment + grace)
            record(connection, tenant, AuditAction.KEY_ROTATE, key_id, key.id)
            return key


def _the_key(connection: Connection, tenant: str, key_id: str) -> ApiKey:
    query = select(api_keys).where(api_keys.c.id == key_id, api_keys.c.tenant == tenant)
    row = connection.execute(query.with_for_update()).one_or_none()
    if row is None:
        raise NotFound
    return _key(row)


def _insert(  # noqa: PLR0913, PLR0917  # one argument for each column
    connection: Connection,
    new: NewApiKey,
    tenant: str,
    name: str,
    scopes: Collection[Scope],
    lifetime: timedelta | None,
) -> ApiKey:
    moment = now(connection)
    values = {
        "id": new.id,
        "tenant": tenant,
        "name": name,
        "digest": new.digest,
        "scopes": ",".join(sorted(scopes)),
        "created_at": moment,
        "expires_at": None if lifetime is None else moment + lifetime,
    }
    return _key(connection.execute(insert(api_keys).values(values).returning(api_keys)).one())


def _expire(connection: Connection, key: ApiKey, moment: datetime) -> ApiKey:
    end = moment if key.expires_at is None else min(moment, key.expires_at)
    statement = update(api_keys).where(api_keys.c.id == key.id).values(expires_at=end)
    return _key(connection.execute(statement.returning(api_keys)).one())


def _is_active(moment: datetime) -> ColumnElement[bool]:
    return or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > moment)


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        tenant=row.tenant,
        name=row.name,
        scopes=frozenset(Scope(name) for name in row.scopes.split(",") if name),
        digest=bytes(row.digest),
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
