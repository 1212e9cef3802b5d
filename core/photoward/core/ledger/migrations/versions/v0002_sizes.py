"""A rendition's one size became a set of sizes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_items = sa.table("items", sa.column("seq", sa.BigInteger), sa.column("options", sa.JSON))


def upgrade() -> None:
    """``max_side`` → ``sizes``, in each item's options."""
    connection = op.get_bind()
    for seq, options in connection.execute(sa.select(_items.c.seq, _items.c.options)).all():
        side = options.pop("max_side", None)
        options.setdefault("sizes", [side] if side else [])
        connection.execute(
            sa.update(_items).where(_items.c.seq == seq).values(options=options)
        )  # fmt: skip
