"""How the tables came to be: numbered steps that Alembic applies, one process at a time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from photoward.core.errors import Unavailable

if TYPE_CHECKING:
    from sqlalchemy import Engine

HERE = Path(__file__).parent

ADVISORY_LOCK = 0x70686F746F776172
"""PostgreSQL's name for the lock: "photowar" in ASCII."""


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the tables to a revision, the newest if none is named, in one transaction.

    Who comes second waits: on SQLite for the transaction itself, on PostgreSQL for a lock. Who
    finds the newest already, as mostly, writes nothing and needs no Alembic.

    Raises:
        Unavailable: the tables are of a newer version.
    """
    if revision == "head" and _is_newest(engine):
        return
    from alembic import command  # noqa: PLC0415  # a third of a second
    from alembic.config import Config  # noqa: PLC0415  # the same
    from alembic.util import CommandError  # noqa: PLC0415  # the same

    config = Config()
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, revision)
        except CommandError as error:
            raise Unavailable(
                f"The ledger's tables are of another version, perhaps a newer one: {error}."
            ) from error


def _is_newest(engine: Engine) -> bool:
    newest = max(path.name[1:5] for path in (HERE / "versions").glob("v*.py"))
    with engine.execution_options(reads_only=True).connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return False
        found = connection.execute(text("SELECT version_num FROM alembic_version"))
        return list(found.scalars()) == [newest]
