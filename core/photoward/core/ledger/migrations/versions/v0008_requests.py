"""Names that callers give their requests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Keep them, and find what they made."""
    where = sa.text("request IS NOT NULL")
    for table in ("items", "batches"):
        op.add_column(table, sa.Column("request", sa.String(64)))
        op.create_index(
            f"{table}_requests", table, ["tenant", "request"],
            sqlite_where=where, postgresql_where=where,
        )  # fmt: skip
