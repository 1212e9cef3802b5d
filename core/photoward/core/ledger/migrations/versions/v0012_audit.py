"""The audit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Make its table."""
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant", sa.String(128)),
        sa.Column("deed", sa.String(32), nullable=False),
        sa.Column("thing", sa.String(32)),
        sa.Column("detail", sa.String(64)),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("actor", sa.String(16), nullable=False),
        sa.Column("request", sa.String(36)),
        sa.Column("address", sa.String(64)),
    )
    op.create_index("audit_tenant", "audit", ["tenant", "seq"])
    op.create_index("audit_at", "audit", ["at"])
