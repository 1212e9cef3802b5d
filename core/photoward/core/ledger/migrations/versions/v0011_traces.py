"""Traces of the requests that items came with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Keep them."""
    op.add_column("items", sa.Column("trace", sa.String(55)))
