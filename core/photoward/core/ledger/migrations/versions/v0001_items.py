"""Tenants and items."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make both tables."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "tenants",
        sa.Column("id", sa.String(128), primary_key=True),
        sa.Column("salt", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "items",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("tenant", sa.String(128), sa.ForeignKey("tenants.id"), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("batch_key", sa.String(256), nullable=False),
        sa.Column("megapixels", sa.Double, nullable=False),
        sa.Column("options", sa.JSON, nullable=False),
        sa.Column("source", sa.JSON, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("stage", sa.String(16)),
        sa.Column("lease", sa.String(32)),
        sa.Column("lease_until", moment),
        sa.Column("label_used", sa.Text),
        sa.Column("label_source", sa.String(16)),
        sa.Column("output", sa.JSON),
        sa.Column("measured", sa.JSON, nullable=False),
        sa.Column("error_code", sa.String(64)),
        sa.Column("error_detail", sa.Text),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.Column("hidden_at", moment),
    )
    _index("items_queue", ["seq"], "state = 'queued'")
    _index("items_batches", ["batch_key", "seq"], "state = 'queued'")
    _index("items_leases", ["lease"], "state = 'leased'")
    _index("items_states", ["state"], "hidden_at IS NULL")


def _index(name: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "items", columns, sqlite_where=where, postgresql_where=where)
