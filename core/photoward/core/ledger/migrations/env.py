"""Alembic's way in: runs the steps on the connection that ``migrate`` holds."""

from __future__ import annotations

from alembic import context

from photoward.core.ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
