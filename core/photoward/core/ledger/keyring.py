"""API keys and the end of a tenant, on the ledger's engine."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, or_, select, update

from photoward.core.api_keys import ApiKey, Scope
from photoward.core.audit import Deed
from photoward.core.errors import NotFound, Overloaded
from photoward.core.jobs import QUOTA_WINDOW, Usage
from photoward.core.ledger import rows
from photoward.core.ledger.audit import record
from photoward.core.ledger.engine import now
from photoward.core.ledger.outbox import drop_webhooks
from photoward.core.ledger.selection import SALT_BYTES, ensure_tenant, hidden, locked_tenant
from photoward.core.ledger.tables import (
    arrivals,
    audit,
    batches,
    items,
    keys,
    targets,
    tenants,
    uploads,
    webhooks,
)
from photoward.core.ledger.transactions import Transactions

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime, timedelta

    from sqlalchemy import ColumnElement, Connection, Row

    from photoward.core.api_keys import Minted
    from photoward.core.jobs import Item


class SqlKeyring(Transactions):
    """The ``Keyring`` part of the ledger; see the port."""

    def add_key(
        self, minted: Minted, tenant: str, name: str, scopes: Collection[Scope],
        lifetime: timedelta | None,
    ) -> ApiKey:  # fmt: skip
        """See the port."""
        with self._writing() as connection:
            locked_tenant(connection, tenant)
            key = _insert(connection, minted, tenant, name, scopes, lifetime)
            record(connection, tenant, Deed.KEY_MADE, key.id, ",".join(sorted(scopes)))
            return key

    def live_key(self, key_id: str) -> ApiKey | None:
        """See the port."""
        with self._reading() as connection:
            query = (
                select(keys, tenants.c.salt).join(tenants, tenants.c.id == keys.c.tenant)
                .where(keys.c.id == key_id, _is_live(now(connection)))
            )  # fmt: skip
            row = connection.execute(query).one_or_none()
        return None if row is None else replace(_key(row), salt=bytes(row.salt))

    def any_live_key(self) -> bool:
        """See the port."""
        with self._reading() as connection:
            query = select(keys.c.id).where(_is_live(now(connection))).limit(1)
            return connection.execute(query).one_or_none() is not None

    def keys(self, tenant: str) -> list[ApiKey]:
        """See the port."""
        query = select(keys).where(keys.c.tenant == tenant).order_by(keys.c.created_at, keys.c.id)
        with self._reading() as connection:
            return [_key(row) for row in connection.execute(query)]

    def end_key(self, tenant: str, key_id: str, after: timedelta) -> ApiKey:
        """See the port."""
        with self._writing() as connection:
            key = _the_key(connection, tenant, key_id)
            record(connection, tenant, Deed.KEY_ENDED, key_id)
            return _end(connection, key, now(connection) + after)

    def rotate_key(self, tenant: str, key_id: str, minted: Minted, grace: timedelta) -> ApiKey:
        """See the port."""
        with self._writing() as connection:
            locked_tenant(connection, tenant)
            old = _the_key(connection, tenant, key_id)
            moment = now(connection)
            lifetime = None if old.expires_at is None else old.expires_at - old.created_at
            fresh = _insert(connection, minted, tenant, old.name, old.scopes, lifetime)
            _end(connection, old, moment + grace)
            record(connection, tenant, Deed.KEY_ROTATED, key_id, fresh.id)
            return fresh

    def usage(self, tenant: str) -> Usage:
        """See the port."""
        with self._reading() as connection:
            return _usage(connection, tenant)

    def allowance(self, tenant: str) -> Usage | None:
        """See the port."""
        with self._reading() as connection:
            quota = select(tenants.c.quota).where(tenants.c.id == tenant)
            if connection.execute(quota).scalar() is None:
                return None
            return _usage(connection, tenant)

    def set_quota(self, tenant: str, megapixels: float | None) -> None:
        """See the port."""
        with self._writing() as connection:
            ensure_tenant(connection, tenant)
            statement = update(tenants).where(tenants.c.id == tenant)
            connection.execute(statement.values(quota=megapixels))
            told = "no limit" if megapixels is None else f"{megapixels:g} megapixels a day"
            record(connection, tenant, Deed.QUOTA_SET, detail=told)

    def set_weight(self, tenant: str, weight: float) -> None:
        """See the port."""
        with self._writing() as connection:
            ensure_tenant(connection, tenant)
            statement = update(tenants).where(tenants.c.id == tenant)
            connection.execute(statement.values(weight=weight))
            record(connection, tenant, Deed.WEIGHT_SET, detail=f"{weight:g}")

    def erase(self, tenant: str) -> list[Item]:
        """See the port."""
        with self._writing() as connection:
            owner = select(tenants.c.id).where(tenants.c.id == tenant).with_for_update()
            if connection.execute(owner).one_or_none() is None:
                return []  # nor anything else of it
            moment = now(connection)
            theirs = select(items).where(items.c.tenant == tenant, items.c.hidden_at.is_(None))
            found = connection.execute(theirs.order_by(items.c.seq).with_for_update()).all()
            erased = {row.seq: rows.item(row) for row in found}
            for seq, item in erased.items():
                values = hidden(item, moment)
                connection.execute(update(items).where(items.c.seq == seq).values(values))
            connection.execute(delete(arrivals).where(arrivals.c.tenant == tenant))
            drop_webhooks(connection, webhooks.c.tenant == tenant)
            connection.execute(delete(keys).where(keys.c.tenant == tenant))
            connection.execute(delete(batches).where(batches.c.tenant == tenant))
            connection.execute(delete(audit).where(audit.c.tenant == tenant))
            connection.execute(delete(targets).where(targets.c.tenant == tenant))
            connection.execute(delete(uploads).where(uploads.c.tenant == tenant))
            salt = {"salt": os.urandom(SALT_BYTES)}
            connection.execute(update(tenants).where(tenants.c.id == tenant).values(salt))
            record(connection, tenant, Deed.TENANT_ERASED)
            return list(erased.values())


def _the_key(connection: Connection, tenant: str, key_id: str) -> ApiKey:
    query = select(keys).where(keys.c.id == key_id, keys.c.tenant == tenant)
    row = connection.execute(query.with_for_update()).one_or_none()
    if row is None:
        raise NotFound
    return _key(row)


def _insert(  # noqa: PLR0913, PLR0917  # what makes a key
    connection: Connection, minted: Minted, tenant: str, name: str, scopes: Collection[Scope],
    lifetime: timedelta | None,
) -> ApiKey:  # fmt: skip
    moment = now(connection)
    values = {
        "id": minted.id, "tenant": tenant, "name": name, "digest": minted.digest,
        "scopes": ",".join(sorted(scopes)), "created_at": moment,
        "expires_at": None if lifetime is None else moment + lifetime,
    }  # fmt: skip
    return _key(connection.execute(insert(keys).values(values).returning(keys)).one())


def _end(connection: Connection, key: ApiKey, moment: datetime) -> ApiKey:
    end = moment if key.expires_at is None else min(moment, key.expires_at)
    statement = update(keys).where(keys.c.id == key.id).values(expires_at=end).returning(keys)
    return _key(connection.execute(statement).one())


def require_room(connection: Connection, tenant: Row[Any], megapixels: float) -> None:
    """Let a photo of a tenant in, whose row is locked.

    Raises:
        Overloaded: ``over_quota``.
    """
    if tenant.quota is None:
        return  # nothing to count
    usage = _usage(connection, tenant.id)
    if not usage.has_room(megapixels):
        raise Overloaded(
            f"The photo has {megapixels:.2f} megapixels; of {usage.quota:g} a day "
            f"{usage.megapixels:.2f} are used.", "over_quota",
        )  # fmt: skip


def _usage(connection: Connection, tenant: str) -> Usage:
    quota = connection.execute(select(tenants.c.quota).where(tenants.c.id == tenant)).scalar()
    late = (items.c.tenant == tenant, items.c.created_at > now(connection) - QUOTA_WINDOW)
    used = connection.execute(select(func.sum(items.c.megapixels)).where(*late)).scalar()
    return Usage(float(used or 0.0), quota)


def _is_live(moment: datetime) -> ColumnElement[bool]:
    return or_(keys.c.expires_at.is_(None), keys.c.expires_at > moment)


def _key(row: Row[Any]) -> ApiKey:
    scopes = frozenset(Scope(name) for name in row.scopes.split(",") if name)
    return ApiKey(
        row.id, row.tenant, row.name, scopes, bytes(row.digest), row.created_at, row.expires_at
    )  # fmt: skip
