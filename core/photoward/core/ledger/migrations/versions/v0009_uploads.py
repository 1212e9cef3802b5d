"""Uploads that are no items yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make their table."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("tenant", sa.String(128), sa.ForeignKey("tenants.id"), nullable=False),
        sa.Column("length", sa.BigInteger, nullable=False),
        sa.Column("arrived", sa.BigInteger, nullable=False),
        sa.Column("parts", sa.JSON, nullable=False),
        sa.Column("metadata", sa.Text, nullable=False),
        sa.Column("item", sa.String(32)),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("expires_at", moment, nullable=False),
    )
    unused = sa.text("item IS NULL")
    op.create_index(
        "uploads_unused", "uploads", ["tenant"], sqlite_where=unused, postgresql_where=unused
    )
    op.create_index("uploads_expiry", "uploads", ["expires_at"])
