"""The ledger's tables for SQLAlchemy; the migrations create the same.

What a WHERE needs is a column; everything else is JSON.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

if TYPE_CHECKING:
    from sqlalchemy import Dialect

metadata = MetaData()


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC; SQLite, which has no time zones, stores it without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware → what the database stores."""
        if value is None:
            return None
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """What the database stores → aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


tenants = Table(
    "tenants",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("salt", LargeBinary, nullable=False),
    Column("quota_megapixels", Double),
    Column("weight", Double, nullable=False, server_default="1"),
    # Virtual finish times of the items that were queued last, by priority.
    Column("last_interactive_finish", Double, nullable=False, server_default="0"),
    Column("last_bulk_finish", Double, nullable=False, server_default="0"),
)

label_targets = Table(
    "label_targets",
    metadata,
    Column("tenant", String(128), ForeignKey("tenants.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("label_digest", String(32), nullable=False),
    Column("home", Integer, nullable=False),
    Column("anchor", Integer, nullable=False),
    Column("vertex", Integer, nullable=False),
    UniqueConstraint("tenant", "label_digest", name="targets_label"),
)

batches = Table(
    "batches",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", String(128), ForeignKey("tenants.id"), nullable=False),
    Column("name", String(128), nullable=False),
    Column("options", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("idempotency_key", String(64)),
    # When to check whether it has ended; NULL: no item has ended since the last check.
    Column("quiet_check_at", UtcDateTime),
    Column("reference", String(255)),
    Column("metadata", JSON(none_as_null=True)),
    Column("callback", JSON(none_as_null=True)),
    # Of its items that have none of their own.
    Column("retention_s", Integer),
    Column("closed_at", UtcDateTime),
    Column("refused", Integer, nullable=False, server_default="0"),
)
Index("batches_tenant", batches.c.tenant, batches.c.created_at, batches.c.id)
_to_check = text("quiet_check_at IS NOT NULL")
Index(
    "batches_to_check",
    batches.c.quiet_check_at,
    sqlite_where=_to_check,
    postgresql_where=_to_check,
)

items = Table(
    "items",
    metadata,
    # The order must not depend on clocks. SQLite counts only in an INTEGER.
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("tenant", String(128), ForeignKey("tenants.id"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("group_key", String(256), nullable=False),
    Column("megapixels", Double, nullable=False),
    # Follows from ``batch_id``; but SQLite finds the first item of a priority by a column alone.
    Column("priority", SmallInteger, nullable=False, server_default="0"),
    Column("virtual_finish_time", Double, nullable=False, server_default="0"),
    Column("options", JSON, nullable=False),
    Column("source", JSON, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("stage", String(16)),
    Column("lease_token", String(32)),
    Column("lease_expires_at", UtcDateTime),
    Column("label_used", Text),
    Column("label_source", String(16)),
    Column("output", JSON(none_as_null=True)),
    Column("measured", JSON, nullable=False),
    Column("error_code", String(64)),
    Column("error_detail", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("deleted_at", UtcDateTime),
    Column("batch_id", String(32)),
    Column("idempotency_key", String(64)),
    Column("traceparent", String(55)),
    Column("source_sha256", String(64)),
    Column("reference", String(255)),
    Column("metadata", JSON(none_as_null=True)),
    Column("callback", JSON(none_as_null=True)),
    Column("token_id", String(16)),
    Column("retention_s", Integer),
    # Of a deleted item: it was deleted because it had expired.
    Column("expires_at", UtcDateTime),
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", String(128), ForeignKey("tenants.id"), nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("parts", JSON, nullable=False),
    Column("metadata", Text, nullable=False),
    Column("item_id", String(32)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("token_id", String(16)),
)
_unused = text("item_id IS NULL")
Index("uploads_unused", uploads.c.tenant, sqlite_where=_unused, postgresql_where=_unused)
Index("uploads_expiry", uploads.c.expires_at)

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("tenant", String(128), ForeignKey("tenants.id"), nullable=False),
    # Empty: of callbacks, each of which has a URL of its own.
    Column("url", Text, nullable=False),
    Column("events", String(128), nullable=False),
    Column("secret_version", Integer, nullable=False),
    Column("previous_secret_until", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("disabled_at", UtcDateTime),
    # How the service was reached by who made it.
    Column("base_url", Text),
)
Index("webhooks_tenant", webhooks.c.tenant)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("webhook_id", String(16), ForeignKey("webhooks.id"), nullable=False),
    Column("event", String(32), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("status", Integer),
    Column("error", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("next_attempt_at", UtcDateTime, nullable=False),
    # Where it goes; NULL: to the webhook's own URL.
    Column("url", Text),
    Column("base_url", Text),
)
_pending = text("state = 'pending'")
Index(
    "webhook_deliveries_pending",
    webhook_deliveries.c.webhook_id,
    webhook_deliveries.c.next_attempt_at,
    webhook_deliveries.c.seq,
    sqlite_where=_pending,
    postgresql_where=_pending,
)
Index("webhook_deliveries_webhook", webhook_deliveries.c.webhook_id, webhook_deliveries.c.seq)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("tenant", String(128), ForeignKey("tenants.id"), nullable=False),
    Column("name", String(128), nullable=False),
    Column("scopes", String(64), nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
)
Index("api_keys_tenant", api_keys.c.tenant)

upload_tokens = Table(
    "upload_tokens",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("tenant", String(128), ForeignKey("tenants.id"), nullable=False),
    # The key that it was made with; NULL: where no keys are required.
    Column("key_id", String(16)),
    Column("digest", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("max_images", Integer, nullable=False),
    Column("max_bytes", BigInteger, nullable=False),
    Column("images", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
)
Index("upload_tokens_tenant", upload_tokens.c.tenant)
Index("upload_tokens_expiry", upload_tokens.c.expires_at)

# Worker processes; ``seen_at``: the last heartbeat.
workers = Table(
    "workers",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("seen_at", UtcDateTime, nullable=False),
)

fetches = Table(
    "fetches",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("item_id", String(32), ForeignKey("items.id"), nullable=False, unique=True),
    Column("tenant", String(128), ForeignKey("tenants.id"), nullable=False),
    Column("source_kind", String(16), nullable=False),
    Column("location", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    # NULL: it failed, and the tenant may ask for it again.
    Column("next_attempt_at", UtcDateTime),
)
Index("fetches_due", fetches.c.tenant, fetches.c.next_attempt_at, fetches.c.seq)

# Digests of the files of items that are done and not deleted.
outputs = Table(
    "outputs",
    metadata,
    Column("tenant", String(128), ForeignKey("tenants.id"), primary_key=True),
    Column("sha256", String(64), primary_key=True),
    Column("item_id", String(32), primary_key=True),
)
Index("outputs_item", outputs.c.item_id)

# Of files of items that are done; they outlive these, but for the sketch.
proofs = Table(
    "proofs",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("tenant", String(128), ForeignKey("tenants.id"), nullable=False),
    Column("mark", String(32), nullable=False),
    Column("protected_at", UtcDateTime, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("sketch", LargeBinary),
    UniqueConstraint("sha256", "tenant", name="proofs_file"),
)
Index("proofs_mark", proofs.c.mark)
Index("proofs_tenant", proofs.c.tenant)

# 64-bit hashes in bands of 16 bits, so that near ones are found by an index.
proof_hashes = Table(
    "proof_hashes",
    metadata,
    Column(
        "proof",
        BigInteger().with_variant(Integer, "sqlite"),
        ForeignKey("proofs.seq"),
        primary_key=True,
    ),
    Column("box", SmallInteger, primary_key=True, autoincrement=False),
    Column("band_0", Integer, nullable=False),
    Column("band_1", Integer, nullable=False),
    Column("band_2", Integer, nullable=False),
    Column("band_3", Integer, nullable=False),
)
Index("proof_hashes_0", proof_hashes.c.band_0)
Index("proof_hashes_1", proof_hashes.c.band_1)
Index("proof_hashes_2", proof_hashes.c.band_2)
Index("proof_hashes_3", proof_hashes.c.band_3)

periodic_tasks = Table(
    "periodic_tasks",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("due_at", UtcDateTime, nullable=False),
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    # No foreign keys: an entry outlives what it records.
    Column("tenant", String(128)),
    Column("action", String(32), nullable=False),
    Column("resource_id", String(32)),
    Column("detail", String(64)),
    Column("outcome", String(32), nullable=False),
    Column("actor", String(16), nullable=False),
    Column("request_id", String(36)),
    Column("address", String(64)),
)
Index("audit_log_tenant", audit_log.c.tenant, audit_log.c.seq)
Index("audit_log_at", audit_log.c.at)

# Written out, not bound: a planner uses a partial index only where the query repeats its condition.
IS_QUEUED = text("items.state = 'queued'")
IS_LEASED = text("items.state = 'leased'")
IS_PENDING = text("webhook_deliveries.state = 'pending'")

_queued = text("state = 'queued'")
_leased = text("state = 'leased'")
_visible = text("deleted_at IS NULL")
_repeatable = text("idempotency_key IS NOT NULL")
Index(
    "items_idempotency",
    items.c.tenant,
    items.c.idempotency_key,
    sqlite_where=_repeatable,
    postgresql_where=_repeatable,
)
Index(
    "batches_idempotency",
    batches.c.tenant,
    batches.c.idempotency_key,
    sqlite_where=_repeatable,
    postgresql_where=_repeatable,
)
_referenced = text("reference IS NOT NULL")
Index(
    "items_reference",
    items.c.tenant,
    items.c.reference,
    items.c.seq,
    sqlite_where=_referenced,
    postgresql_where=_referenced,
)
_arrived = text("source_sha256 IS NOT NULL")
Index(
    "items_source",
    items.c.tenant,
    items.c.source_sha256,
    items.c.seq,
    sqlite_where=_arrived,
    postgresql_where=_arrived,
)
_expiring = text("expires_at IS NOT NULL AND deleted_at IS NULL")
Index("items_expiry", items.c.expires_at, sqlite_where=_expiring, postgresql_where=_expiring)
Index(
    "items_tenant",
    items.c.tenant,
    items.c.seq,
    sqlite_where=_visible,
    postgresql_where=_visible,
)
Index("items_usage", items.c.tenant, items.c.created_at)
Index("items_batch", items.c.batch_id, items.c.seq)
Index(
    "items_queue",
    items.c.priority,
    items.c.virtual_finish_time,
    items.c.seq,
    sqlite_where=_queued,
    postgresql_where=_queued,
)
Index(
    "items_group",
    items.c.group_key,
    items.c.priority,
    items.c.virtual_finish_time,
    items.c.seq,
    sqlite_where=_queued,
    postgresql_where=_queued,
)
Index("items_leases", items.c.lease_token, sqlite_where=_leased, postgresql_where=_leased)
Index("items_states", items.c.state, sqlite_where=_visible, postgresql_where=_visible)
