"""The ledger's database: an engine, and transactions that write or only read."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from threading import Lock
from typing import TYPE_CHECKING, Any

from photoward.core.failpoints import lose
from photoward.core.ledger.engine import translated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine, Executable, Row, Select


class Database:
    """Transactions on an engine whose tables exist; safe to use from many threads.

    The drivers' errors leave it as ``BadInput``, ``ValueError`` or ``Unavailable``: see
    ``engine.translated``.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._reader = engine.execution_options(reads_only=True)
        sqlite = engine.name == "sqlite"
        # A single query needs no BEGIN and no COMMIT: on SQLite they cost as much as it does.
        autocommit = {"outside": True} if sqlite else {"isolation_level": "AUTOCOMMIT"}
        self._autocommit = engine.execution_options(**autocommit)
        # SQLite's waiting writers poll, and some starve; those of one process can queue up.
        self._write_lock = Lock() if sqlite else nullcontext()

    @contextmanager
    def transaction(self, failpoint: str = "") -> Iterator[Connection]:
        """A transaction that writes; ``failpoint``: one that may raise after the commit."""
        with self._write_lock, translated(), self.engine.begin() as connection:
            yield connection
        if failpoint:
            lose(failpoint)

    @contextmanager
    def read_transaction(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with translated(), self._reader.begin() as connection:
            yield connection

    def row(self, query: Executable, **values: object) -> Row[Any] | None:
        """The only row of a query, or None."""
        with translated(), self._autocommit.connect() as connection:
            return connection.execute(query, values).one_or_none()

    def scalar(self, query: Select[Any]) -> Any:  # noqa: ANN401  # whatever the column holds
        """The first column of the only row of a query, or None."""
        row = self.row(query)
        return None if row is None else row[0]

    def scrub(self) -> None:
        """Remove deleted data from SQLite's write-ahead log, as far as no reader needs it.

        PostgreSQL's vacuum does that by itself.
        """
        if self.engine.name != "sqlite":
            return
        with self._write_lock, translated(), self._autocommit.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


class Section:
    """One subject of the ledger, on the database that all subjects share."""

    def __init__(self, database: Database) -> None:
        self._database = database
