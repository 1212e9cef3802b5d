"""What protected files and copies of them are recognised by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Make the tables; of files from before no picture is left to hash."""
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "proofs",
        sa.Column("seq", number, primary_key=True),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("tenant", sa.String(128), sa.ForeignKey("tenants.id"), nullable=False),
        sa.Column("mark", sa.String(32), nullable=False),
        sa.Column("protected_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.Column("sketch", sa.LargeBinary),
        sa.UniqueConstraint("sha256", "tenant", name="proofs_file"),
    )
    op.create_index("proofs_mark", "proofs", ["mark"])
    op.create_index("proofs_tenant", "proofs", ["tenant"])
    op.create_table(
        "proof_hashes",
        sa.Column("proof", number, sa.ForeignKey("proofs.seq"), primary_key=True),
        sa.Column("box", sa.SmallInteger, primary_key=True, autoincrement=False),
        *(sa.Column(f"band_{band}", sa.Integer, nullable=False) for band in range(4)),
    )
    for band in range(4):
        op.create_index(f"proof_hashes_{band}", "proof_hashes", [f"band_{band}"])
