"""Batches are listed by tenant, newest first."""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Add the index of that list."""
    op.create_index("batches_tenant", "batches", ["tenant", "created_at", "id"])
