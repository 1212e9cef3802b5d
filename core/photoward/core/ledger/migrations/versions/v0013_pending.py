"""What a webhook waits for is found without looking at anybody else's."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Order messages that are due by webhook instead of all together."""
    pending = sa.text("state = 'pending'")
    op.drop_index("deliveries_due", "deliveries")
    op.create_index(
        "deliveries_pending", "deliveries", ["webhook", "due_at", "seq"],
        sqlite_where=pending, postgresql_where=pending,
    )  # fmt: skip
