"""Quotas of tenants."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Let tenants have one, and find what they used of late."""
    op.add_column("tenants", sa.Column("quota", sa.Double))
    op.create_index("items_use", "items", ["tenant", "created_at"])
