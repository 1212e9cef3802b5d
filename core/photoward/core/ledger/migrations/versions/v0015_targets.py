"""What labels are steered to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Make its table."""
    op.create_table(
        "targets",
        sa.Column("tenant", sa.String(128), sa.ForeignKey("tenants.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("label", sa.String(32), nullable=False),
        sa.Column("home", sa.Integer, nullable=False),
        sa.Column("anchor", sa.Integer, nullable=False),
        sa.Column("vertex", sa.Integer, nullable=False),
        sa.UniqueConstraint("tenant", "label", name="targets_label"),
    )
