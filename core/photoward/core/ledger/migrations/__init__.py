"""How the tables came to be: numbered steps that Alembic applies, one process at a time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import text

from photoward.core.errors import Unavailable

if TYPE_CHECKING:
    from sqlalchemy import Engine

ADVISORY_LOCK = 0x70686F746F776172
"""PostgreSQL's name for the lock: "photowar" in ASCII."""


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the tables to a revision, the newest if none is named, in one transaction.

    Who comes second waits: on SQLite for the transaction itself, on PostgreSQL for a lock.

    Raises:
        Unavailable: the tables are of a newer version.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, revision)
        except CommandError as error:
            raise Unavailable(
                f"The ledger's tables are not of this version, perhaps of a newer one: {error}."
            ) from error
