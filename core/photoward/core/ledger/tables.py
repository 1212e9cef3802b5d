"""The ledger's tables as SQLAlchemy sees them; the migrations make the same.

Columns hold what is asked for in a WHERE; everything else travels as JSON.
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
    """An aware moment in UTC; SQLite, which knows no time zones, keeps it naive."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware → what the database keeps."""
        if value is None:
            return None
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """What the database keeps → aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


tenants = Table(
    "tenants",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("salt", LargeBinary, nullable=False),
    Column("quota", Double),
    Column("weight", Double, nullable=False, server_default="1"),
    # The turns of the photos that were handed in last: of no batch, and of batches.
    Column("turn", Double, nullable=False, server_default="0"),
    Column("batch_turn", Double, nullable=False, server_default="0"),
)

targets = Table(
    "targets",
    metadata,
    Column("tenant", String(128), ForeignKey("tenants.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("label", String(32), nullable=False),
    Column("home", Integer, nullable=False),
    Column("anchor", Integer, nullable=False),
    Column("vertex", Integer, nullable=False),
    UniqueConstraint("tenant", "label", name="targets_label"),
)

batches = Table(
    "batches",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", String(128), ForeignKey("tenants.id"), nullable=False),
    Column("name", String(128), nullable=False),
    Column("options", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("request", String(64)),
    # When it is asked whether all has ended; none: nothing has since that was asked last.
    Column("rest_at", UtcDateTime),
)
_near_rest = text("rest_at IS NOT NULL")
Index("batches_rest", batches.c.rest_at, sqlite_where=_near_rest, postgresql_where=_near_rest)

items = Table(
    "items",
    metadata,
    # The order of arrival must not hang on clocks. SQLite counts only in an INTEGER.
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("tenant", String(128), ForeignKey("tenants.id"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("batch_key", String(256), nullable=False),
    Column("megapixels", Double, nullable=False),
    # Follows from ``batch``; but SQLite finds the first turn of either kind by a column alone.
    Column("lane", SmallInteger, nullable=False, server_default="0"),
    Column("turn", Double, nullable=False, server_default="0"),
    Column("options", JSON, nullable=False),
    Column("source", JSON, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("stage", String(16)),
    Column("lease", String(32)),
    Column("lease_until", UtcDateTime),
    Column("label_used", Text),
    Column("label_source", String(16)),
    Column("output", JSON(none_as_null=True)),
    Column("measured", JSON, nullable=False),
    Column("error_code", String(64)),
    Column("error_detail", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("hidden_at", UtcDateTime),
    Column("batch", String(32)),
    Column("request", String(64)),
    Column("trace", String(55)),
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", String(128), ForeignKey("tenants.id"), nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("arrived", BigInteger, nullable=False),
    Column("parts", JSON, nullable=False),
    Column("metadata", Text, nullable=False),
    Column("item", String(32)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
)
_unused = text("item IS NULL")
Index("uploads_unused", uploads.c.tenant, sqlite_where=_unused, postgresql_where=_unused)
Index("uploads_expiry", uploads.c.expires_at)

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("tenant", String(128), ForeignKey("tenants.id"), nullable=False),
    Column("url", Text, nullable=False),
    Column("events", String(128), nullable=False),
    Column("version", Integer, nullable=False),
    Column("old_until", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("disabled_at", UtcDateTime),
)
Index("webhooks_tenant", webhooks.c.tenant)

deliveries = Table(
    "deliveries",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("webhook", String(16), ForeignKey("webhooks.id"), nullable=False),
    Column("event", String(32), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("status", Integer),
    Column("error", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
)
_pending = text("state = 'pending'")
Index(
    "deliveries_pending", deliveries.c.webhook, deliveries.c.due_at, deliveries.c.seq,
    sqlite_where=_pending, postgresql_where=_pending,
)  # fmt: skip
Index("deliveries_webhook", deliveries.c.webhook, deliveries.c.seq)

keys = Table(
    "keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("tenant", String(128), ForeignKey("tenants.id"), nullable=False),
    Column("name", String(128), nullable=False),
    Column("scopes", String(64), nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
)
Index("keys_tenant", keys.c.tenant)

# Processes that work, and when each was last heard of.
workers = Table(
    "workers",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("seen_at", UtcDateTime, nullable=False),
)

arrivals = Table(
    "arrivals",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("item", String(32), ForeignKey("items.id"), nullable=False, unique=True),
    Column("tenant", String(128), ForeignKey("tenants.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("place", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    # When it is tried next; none: it failed, and may be asked for again.
    Column("due_at", UtcDateTime),
)
Index("arrivals_due", arrivals.c.tenant, arrivals.c.due_at, arrivals.c.seq)

duties = Table(
    "duties",
    metadata,
    Column("name", String(16), primary_key=True),
    # From when on somebody is to do it again.
    Column("due_at", UtcDateTime, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    # Neither refers to other tables: an entry outlives what it tells of.
    Column("tenant", String(128)),
    Column("deed", String(32), nullable=False),
    Column("thing", String(32)),
    Column("detail", String(64)),
    Column("outcome", String(32), nullable=False),
    Column("actor", String(16), nullable=False),
    Column("request", String(36)),
    Column("address", String(64)),
)
Index("audit_tenant", audit.c.tenant, audit.c.seq)
Index("audit_at", audit.c.at)

# Written out, not bound: a planner uses a partial index only where the query repeats its condition.
IS_QUEUED = text("items.state = 'queued'")
IS_LEASED = text("items.state = 'leased'")
IS_PENDING = text("deliveries.state = 'pending'")

_queued = text("state = 'queued'")
_leased = text("state = 'leased'")
_visible = text("hidden_at IS NULL")
_asked = text("request IS NOT NULL")
Index(
    "items_requests", items.c.tenant, items.c.request, sqlite_where=_asked, postgresql_where=_asked
)
Index(
    "batches_requests", batches.c.tenant, batches.c.request,
    sqlite_where=_asked, postgresql_where=_asked,
)  # fmt: skip
Index("items_use", items.c.tenant, items.c.created_at)
Index("items_of_batches", items.c.batch, items.c.seq)
Index(
    "items_queue", items.c.lane, items.c.turn, items.c.seq,
    sqlite_where=_queued, postgresql_where=_queued,
)  # fmt: skip
Index(
    "items_batches", items.c.batch_key, items.c.lane, items.c.turn, items.c.seq,
    sqlite_where=_queued, postgresql_where=_queued,
)  # fmt: skip
Index("items_leases", items.c.lease, sqlite_where=_leased, postgresql_where=_leased)
Index("items_states", items.c.state, sqlite_where=_visible, postgresql_where=_visible)
