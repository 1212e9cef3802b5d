"""The digests of protected files, so that who sends one again is told."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

PAGE = 1000


def upgrade() -> None:
    """Make their table, and fill it with what there is."""
    op.create_table(
        "outputs",
        sa.Column("tenant", sa.String(128), sa.ForeignKey("tenants.id"), primary_key=True),
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("item_id", sa.String(32), primary_key=True),
    )
    op.create_index("outputs_item", "outputs", ["item_id"])
    connection, seq = op.get_bind(), 0
    while page := connection.execute(_done(seq)).all():
        rows = [
            {"tenant": row.tenant, "sha256": sha256, "item_id": row.id}
            for row in page
            for sha256 in _digests(row.output)
        ]
        op.bulk_insert(_outputs, rows)
        seq = page[-1].seq


_items = sa.table("items", *map(sa.column, ("seq", "id", "tenant", "output", "deleted_at")))
_outputs = sa.table("outputs", *map(sa.column, ("tenant", "sha256", "item_id")))


def _done(after: int) -> sa.Select[tuple[object, ...]]:
    made = _items.c.output.is_not(None), _items.c.deleted_at.is_(None), _items.c.seq > after
    return sa.select(_items).where(*made).order_by(_items.c.seq).limit(PAGE)


def _digests(stored: object) -> set[str]:
    """Of an output's JSON, which SQLite gives as text."""
    output = json.loads(stored) if isinstance(stored, str) else stored
    if not isinstance(output, dict):
        return set()
    return {one["sha256"] for one in (output, *output.get("renditions", ()))}
