"""Turns: tenants share the queue."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Order the queue by turns; what waits already goes first, as it came."""
    op.add_column("tenants", sa.Column("weight", sa.Double, nullable=False, server_default="1"))
    op.add_column("tenants", sa.Column("turn", sa.Double, nullable=False, server_default="0"))
    op.add_column("tenants", sa.Column("batch_turn", sa.Double, nullable=False, server_default="0"))
    op.add_column("items", sa.Column("lane", sa.SmallInteger, nullable=False, server_default="0"))
    op.add_column("items", sa.Column("turn", sa.Double, nullable=False, server_default="0"))
    op.execute("UPDATE items SET lane = 1 WHERE state = 'queued' AND batch IS NOT NULL")
    for name in ("items_interactive", "items_queue", "items_batches"):
        op.drop_index(name, "items")
    where = sa.text("state = 'queued'")
    for name, columns in (
        ("items_queue", ["lane", "turn", "seq"]),
        ("items_batches", ["batch_key", "lane", "turn", "seq"]),
    ):
        op.create_index(name, "items", columns, sqlite_where=where, postgresql_where=where)
