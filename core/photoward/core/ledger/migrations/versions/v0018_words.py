"""Tables, columns, indexes and audit actions get the names that the rest of the code uses."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

TABLES: dict[str, str] = {
    "arrivals": "fetches",
    "audit": "audit_log",
    "deliveries": "webhook_deliveries",
    "duties": "periodic_tasks",
    "keys": "api_keys",
    "targets": "label_targets",
}

COLUMNS: dict[str, dict[str, str]] = {
    "audit_log": {"deed": "action", "thing": "resource_id", "request": "request_id"},
    "batches": {"request": "idempotency_key", "rest_at": "quiet_check_at"},
    "fetches": {
        "due_at": "next_attempt_at",
        "item": "item_id",
        "kind": "source_kind",
        "place": "location",
        "tries": "attempts",
    },
    "items": {
        "batch": "batch_id",
        "batch_key": "group_key",
        "hidden_at": "deleted_at",
        "lane": "priority",
        "lease": "lease_token",
        "lease_until": "lease_expires_at",
        "request": "idempotency_key",
        "trace": "traceparent",
        "turn": "virtual_finish_time",
    },
    "label_targets": {"label": "label_digest"},
    "tenants": {
        "batch_turn": "last_bulk_finish",
        "quota": "quota_megapixels",
        "turn": "last_interactive_finish",
    },
    "uploads": {"arrived": "received", "item": "item_id"},
    "webhook_deliveries": {"due_at": "next_attempt_at", "webhook": "webhook_id"},
    "webhooks": {"old_until": "previous_secret_until", "version": "secret_version"},
}

INDEXES: dict[str, dict[str, tuple[str, list[str], str | None]]] = {
    "api_keys": {"keys_tenant": ("api_keys_tenant", ["tenant"], None)},
    "audit_log": {
        "audit_at": ("audit_log_at", ["at"], None),
        "audit_tenant": ("audit_log_tenant", ["tenant", "seq"], None),
    },
    "batches": {
        "batches_requests": (
            "batches_idempotency",
            ["tenant", "idempotency_key"],
            "idempotency_key IS NOT NULL",
        ),
        "batches_rest": ("batches_to_check", ["quiet_check_at"], "quiet_check_at IS NOT NULL"),
    },
    "fetches": {"arrivals_due": ("fetches_due", ["tenant", "next_attempt_at", "seq"], None)},
    "items": {
        "items_batches": (
            "items_group",
            ["group_key", "priority", "virtual_finish_time", "seq"],
            "state = 'queued'",
        ),
        "items_of_batches": ("items_batch", ["batch_id", "seq"], None),
        "items_requests": (
            "items_idempotency",
            ["tenant", "idempotency_key"],
            "idempotency_key IS NOT NULL",
        ),
        "items_use": ("items_usage", ["tenant", "created_at"], None),
    },
    "webhook_deliveries": {
        "deliveries_pending": (
            "webhook_deliveries_pending",
            ["webhook_id", "next_attempt_at", "seq"],
            "state = 'pending'",
        ),
        "deliveries_webhook": ("webhook_deliveries_webhook", ["webhook_id", "seq"], None),
    },
}
"""Old name → new name, columns, condition; the other indexes keep their names."""

ACTIONS = {
    "access.refused": "access.deny",
    "batch.cancelled": "batch.cancel",
    "image.deleted": "image.delete",
    "key.ended": "key.revoke",
    "key.made": "key.create",
    "key.rotated": "key.rotate",
    "quota.set": "tenant.set_quota",
    "tenant.erased": "tenant.erase",
    "webhook.made": "webhook.create",
    "webhook.removed": "webhook.delete",
    "webhook.rotated": "webhook.rotate",
    "weight.set": "tenant.set_weight",
}
ACTORS = {"anyone": "anonymous", "stranger": "unauthenticated"}


def upgrade() -> None:
    """Rename them in place; no row is copied."""
    for old, new in TABLES.items():
        op.rename_table(old, new)
    for table, renamed in COLUMNS.items():
        for old, new in renamed.items():
            # Not alter_column, which copies the whole table on SQLite.
            op.execute(f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}")
    for table, indexes in INDEXES.items():
        for old, (new, columns, condition) in indexes.items():
            op.drop_index(old, table)
            where = None if condition is None else sa.text(condition)
            op.create_index(new, table, columns, sqlite_where=where, postgresql_where=where)
    _rename_values("action", ACTIONS)
    _rename_values("actor", ACTORS)
    _rename_values("outcome", {"done": "success"})


def _rename_values(column: str, renamed: dict[str, str]) -> None:
    audit_log = sa.table("audit_log", sa.column(column))
    for old, new in renamed.items():
        statement = sa.update(audit_log).where(audit_log.c[column] == old)
        op.execute(statement.values({column: new}))
