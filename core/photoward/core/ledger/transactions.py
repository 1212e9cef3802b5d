"""What all parts of the ledger stand on: an engine, and transactions that write or only read."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from threading import Lock
from typing import TYPE_CHECKING, Any

from photoward.core.ledger.engine import translated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine, Select


class Transactions:
    """Transactions on an engine whose tables are there; errors leave as ``Unavailable``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(reads_only=True)
        # SQLite's waiting writers poll, and some starve; those of one process can queue up.
        self._turn = Lock() if engine.name == "sqlite" else nullcontext()

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._turn, translated(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with translated(), self._reader.begin() as connection:
            yield connection

    def scrub(self) -> None:
        """See the port. PostgreSQL's vacuum does it by itself."""
        if self._engine.name != "sqlite":
            return
        outside = self._engine.execution_options(outside=True)
        with self._turn, translated(), outside.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def _scalar(self, query: Select[Any]) -> Any:  # noqa: ANN401  # whatever the column holds
        with self._reading() as connection:
            return connection.execute(query).scalar()
