"""What all parts of the ledger stand on: an engine, and transactions that write or only read."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from threading import Lock
from typing import TYPE_CHECKING, Any

from photoward.core.failpoints import lose
from photoward.core.ledger.engine import translated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine, Executable, Row, Select


class Transactions:
    """Transactions on an engine whose tables are there; errors leave as ``Unavailable``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(reads_only=True)
        in_a_file = engine.name == "sqlite"
        # A single question needs no BEGIN and no COMMIT: on SQLite they cost as much as it does.
        alone = {"outside": True} if in_a_file else {"isolation_level": "AUTOCOMMIT"}
        self._asker = engine.execution_options(**alone)
        # SQLite's waiting writers poll, and some starve; those of one process can queue up.
        self._turn = Lock() if in_a_file else nullcontext()

    @contextmanager
    def _writing(self, losing: str = "") -> Iterator[Connection]:
        """A transaction; ``losing``: the failpoint behind its commit."""
        with self._turn, translated(), self._engine.begin() as connection:
            yield connection
        if losing:
            lose(losing)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with translated(), self._reader.begin() as connection:
            yield connection

    def scrub(self) -> None:
        """See the port. PostgreSQL's vacuum does it by itself."""
        if self._engine.name != "sqlite":
            return
        with self._turn, translated(), self._asker.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def _scalar(self, query: Select[Any]) -> Any:  # noqa: ANN401  # whatever the column holds
        row = self._row(query)
        return None if row is None else row[0]

    def _row(self, query: Executable, **values: object) -> Row[Any] | None:
        """The only row that is found, if any."""
        with translated(), self._asker.connect() as connection:
            return connection.execute(query, values).one_or_none()
