"""How the tables came to be: numbered steps that Alembic applies, one process at a time."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy import Engine

ADVISORY_LOCK = 0x70686F746F776172
"""PostgreSQL's name for the lock: "photowar" in ASCII."""


def migrate(engine: Engine) -> None:
    """Bring the tables to the newest revision, in one transaction."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    with _alone(engine), engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _alone(engine: Engine) -> AbstractContextManager[None]:
    database = engine.url.database
    return _file_lock(Path(f"{database}.lock")) if engine.name == "sqlite" else nullcontext()


@contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    """SQLite's own locks do not queue up while the first process switches the file to WAL."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    with path.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
