"""What one of all processes does once in a period."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Keep when each is due."""
    op.create_table(
        "duties",
        sa.Column("name", sa.String(16), primary_key=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
    )
