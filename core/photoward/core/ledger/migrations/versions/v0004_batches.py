"""Batches."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make their table, and let items belong to one."""
    op.create_table(
        "batches",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("tenant", sa.String(128), sa.ForeignKey("tenants.id"), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("options", sa.JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.add_column("items", sa.Column("batch", sa.String(32)))
    op.create_index("items_of_batches", "items", ["batch", "seq"])
    where = sa.text("state = 'queued' AND batch IS NULL")
    op.create_index(
        "items_interactive", "items", ["seq"], sqlite_where=where, postgresql_where=where
    )
