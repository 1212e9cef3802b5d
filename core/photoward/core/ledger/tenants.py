"""Tenants: their salts, quotas and weights, and their erasure."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select, update

from photoward.core.audit import AuditAction
from photoward.core.errors import Overloaded
from photoward.core.jobs import QUOTA_WINDOW, QuotaUsage
from photoward.core.ledger import rows
from photoward.core.ledger.audit import record
from photoward.core.ledger.database import Section
from photoward.core.ledger.engine import now
from photoward.core.ledger.proofs import erase_proofs
from photoward.core.ledger.queries import SALT_BYTES, deletion, ensure_tenant
from photoward.core.ledger.tables import (
    api_keys,
    audit_log,
    batches,
    fetches,
    items,
    label_targets,
    outputs,
    tenants,
    upload_tokens,
    uploads,
    webhooks,
)
from photoward.core.ledger.webhooks import delete_webhooks

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from photoward.core.jobs import Item


class Tenants(Section):
    """All tenants."""

    def salt(self, tenant: str) -> bytes:
        """The tenant's 16 salt bytes; generated at the first call, the same until it is erased."""
        query = select(tenants.c.salt).where(tenants.c.id == tenant)
        salt: bytes | None = self._database.scalar(query)
        if salt is None:
            with self._database.transaction() as connection:
                ensure_tenant(connection, tenant)
                salt = connection.execute(query).scalar_one()
        return salt

    def usage(self, tenant: str) -> QuotaUsage:
        """Megapixels that the tenant submitted within ``QUOTA_WINDOW``, and its quota."""
        with self._database.read_transaction() as connection:
            return _usage(connection, tenant)

    def quota_usage(self, tenant: str) -> QuotaUsage | None:
        """The same for a tenant with a quota; None, and nothing is counted, for any other."""
        with self._database.read_transaction() as connection:
            quota = select(tenants.c.quota_megapixels).where(tenants.c.id == tenant)
            if connection.execute(quota).scalar() is None:
                return None
            return _usage(connection, tenant)

    def set_quota(self, tenant: str, megapixels: float | None) -> None:
        """Set how many megapixels a tenant may submit per day; None: no limit."""
        text = "no limit" if megapixels is None else f"{megapixels:g} megapixels a day"
        with self._database.transaction() as connection:
            _set(connection, tenant, quota_megapixels=megapixels)
            record(connection, tenant, AuditAction.TENANT_SET_QUOTA, detail=text)

    def set_weight(self, tenant: str, weight: float) -> None:
        """Set a tenant's share of a busy machine relative to the others; 1 by default."""
        with self._database.transaction() as connection:
            _set(connection, tenant, weight=weight)
            record(connection, tenant, AuditAction.TENANT_SET_WEIGHT, detail=f"{weight:g}")

    def erase(self, tenant: str) -> list[Item]:
        """Delete all data of a tenant and cancel its unfinished work.

        The salt is replaced, so that nobody can compute the tenant's secret any more, and requests
        that were authenticated before (``core.api_keys``) can write nothing of the tenant: they
        raise NotFound. Of the audit log only the entry of the erasure stays. Returns the items as
        they were, whose objects the caller deletes; ``items.get`` finds none of them.
        """
        with self._database.transaction() as connection:
            owner = select(tenants.c.id).where(tenants.c.id == tenant).with_for_update()
            if connection.execute(owner).one_or_none() is None:
                return []
            erased = _delete_items(connection, tenant)
            connection.execute(delete(fetches).where(fetches.c.tenant == tenant))
            erase_proofs(connection, tenant)
            delete_webhooks(connection, webhooks.c.tenant == tenant)
            owned = api_keys, batches, audit_log, label_targets, outputs, uploads, upload_tokens
            for table in owned:
                connection.execute(delete(table).where(table.c.tenant == tenant))
            _set(connection, tenant, salt=os.urandom(SALT_BYTES))
            record(connection, tenant, AuditAction.TENANT_ERASE)
            return erased


def require_quota(connection: Connection, tenant: Row[Any], megapixels: float) -> None:
    """Check the quota of a tenant, whose row is locked, for one more photo.

    Raises:
        Overloaded: ``over_quota``.
    """
    if tenant.quota_megapixels is None:
        return  # nothing to count
    usage = _usage(connection, tenant.id)
    if not usage.has_room(megapixels):
        raise Overloaded(
            f"The photo has {megapixels:.2f} megapixels; of {usage.quota:g} a day "
            f"{usage.megapixels:.2f} are used.",
            "over_quota",
        )


def _delete_items(connection: Connection, tenant: str) -> list[Item]:
    mine = select(items).where(items.c.tenant == tenant, items.c.deleted_at.is_(None))
    locked = mine.order_by(items.c.seq).with_for_update()
    found = {row.seq: rows.item(row) for row in connection.execute(locked)}
    moment = now(connection)
    for seq, item in found.items():
        statement = update(items).where(items.c.seq == seq)
        connection.execute(statement.values(deletion(item, moment)))
    return list(found.values())


def _usage(connection: Connection, tenant: str) -> QuotaUsage:
    quota = select(tenants.c.quota_megapixels).where(tenants.c.id == tenant)
    recent = (items.c.tenant == tenant, items.c.created_at > now(connection) - QUOTA_WINDOW)
    used = connection.execute(select(func.sum(items.c.megapixels)).where(*recent)).scalar()
    return QuotaUsage(float(used or 0.0), connection.execute(quota).scalar())


def _set(connection: Connection, tenant: str, **values: object) -> None:
    ensure_tenant(connection, tenant)
    connection.execute(update(tenants).where(tenants.c.id == tenant).values(values))
