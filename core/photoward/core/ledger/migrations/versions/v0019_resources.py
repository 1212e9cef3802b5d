"""References, metadata, callbacks, expiry, closed batches, upload tokens; names of events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

EVENTS = {
    "image.done": "image.succeeded",
    "batch.ended": "batch.completed",
}


def upgrade() -> None:
    """Add columns in place, then fill those that follow from what is there."""
    for table, columns in _columns().items():
        for column in columns:
            op.add_column(table, column)
    op.create_table(
        "upload_tokens",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("tenant", sa.String(128), sa.ForeignKey("tenants.id"), nullable=False),
        sa.Column("key_id", sa.String(16)),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("max_images", sa.Integer, nullable=False),
        sa.Column("max_bytes", sa.BigInteger, nullable=False),
        sa.Column("images", sa.Integer, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
    )
    op.create_index("upload_tokens_tenant", "upload_tokens", ["tenant"])
    op.create_index("upload_tokens_expiry", "upload_tokens", ["expires_at"])
    _fill()
    _index("items_reference", ["tenant", "reference", "seq"], "reference IS NOT NULL")
    _index("items_source", ["tenant", "source_sha256", "seq"], "source_sha256 IS NOT NULL")
    _index("items_expiry", ["expires_at"], "expires_at IS NOT NULL AND deleted_at IS NULL")
    _index("items_tenant", ["tenant", "seq"], "deleted_at IS NULL")


def _columns() -> dict[str, list[sa.Column[object]]]:
    moment = sa.DateTime(timezone=True)
    said = ("reference", sa.String(255)), ("metadata", sa.JSON), ("callback", sa.JSON)
    return {
        "items": [
            sa.Column("source_sha256", sa.String(64)),
            *(sa.Column(name, kind) for name, kind in said),
            sa.Column("token_id", sa.String(16)),
            sa.Column("retention_s", sa.Integer),
            sa.Column("expires_at", moment),
        ],
        "batches": [
            *(sa.Column(name, kind) for name, kind in said),
            sa.Column("retention_s", sa.Integer),
            sa.Column("closed_at", moment),
            sa.Column("refused", sa.Integer, nullable=False, server_default="0"),
        ],
        "uploads": [sa.Column("token_id", sa.String(16))],
        "webhooks": [sa.Column("base_url", sa.Text)],
        "webhook_deliveries": [sa.Column("url", sa.Text), sa.Column("base_url", sa.Text)],
    }


def _index(name: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "items", columns, sqlite_where=where, postgresql_where=where)


def _fill() -> None:
    digest = "source ->> 'sha256'" if _on_postgres() else "json_extract(source, '$.sha256')"
    op.execute(f"UPDATE items SET source_sha256 = NULLIF({digest}, '')")  # noqa: S608  # constants
    for table in ("items", "batches"):
        _replace(table, "options", '"metadata": ', '"keep_exif": ')
    for old, new in EVENTS.items():
        _replace("webhooks", "events", old, new)
        _replace("webhook_deliveries", "event", old, new)
        _replace("webhook_deliveries", "payload", f'"type": "{old}"', f'"type": "{new}"')
    op.execute("UPDATE api_keys SET scopes = scopes || ',webhooks' WHERE scopes LIKE '%admin%'")


def _replace(table: str, column: str, old: str, new: str) -> None:
    """In text, or in JSON, where a quotation mark within a value stands behind a backslash."""
    text = f"CAST({column} AS TEXT)"
    changed = f"REPLACE({text}, :old, :new)"
    if column in {"options", "payload"} and _on_postgres():  # SQLite would cast it to a number
        changed = f"CAST({changed} AS JSON)"
    statement = f"UPDATE {table} SET {column} = {changed} WHERE {text} LIKE :pattern"  # noqa: S608  # constants
    op.execute(sa.text(statement).bindparams(old=old, new=new, pattern=f"%{old}%"))


def _on_postgres() -> bool:
    return op.get_bind().dialect.name == "postgresql"
