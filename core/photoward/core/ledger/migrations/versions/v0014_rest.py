"""Batches that may have come to rest."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Keep when each is asked."""
    op.add_column("batches", sa.Column("rest_at", sa.DateTime(timezone=True)))
    some = sa.text("rest_at IS NOT NULL")
    op.create_index(
        "batches_rest", "batches", ["rest_at"], sqlite_where=some, postgresql_where=some
    )
