"""Connections to SQLite or PostgreSQL, their transactions, and whose fault their errors are.

Knows nothing of items. No message that leaves here holds SQL, parameters or a password.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import DateTime, create_engine, event, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from photoward.core.errors import BadInput, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL, ColumnElement, Connection, Engine

BUSY_TIMEOUT_S = 10
"""How long a writer waits for SQLite's one write lock."""

LEAST_ROOM = 256 << 10
"""Bytes that must be free when a SQLite file is opened; 32 KiB of its log's index are made then."""

CONNECTIONS = 40
"""To a SQLite file: one for each thread that may ask. They are kept: to open one costs as much as
ten questions, and it would be done at the very moment when there are many."""


def make_engine(database: str) -> Engine:
    """An engine for ``sqlite:///file`` or ``postgresql[+psycopg]://…``; nothing is opened yet.

    Raises:
        Unavailable: the URL cannot be read or names another database.
    """
    try:
        url = make_url(database)
        name = url.get_backend_name()
    except (ArgumentError, ValueError):
        # from None: the parser quotes parts of the URL, which may hold the password.
        raise Unavailable("The database URL cannot be parsed.") from None
    if name == "sqlite" and url.database not in (None, "", ":memory:"):
        return _sqlite(url)
    if name in ("postgresql", "postgres"):
        return _postgres(url.set(drivername="postgresql+psycopg"))
    raise Unavailable("The database must be a SQLite file or PostgreSQL.")


def _sqlite(url: URL) -> Engine:
    engine = create_engine(
        url, hide_parameters=True, pool_size=CONNECTIONS, max_overflow=0, pool_use_lifo=True,
        pool_timeout=BUSY_TIMEOUT_S,
    )  # fmt: skip
    path = Path(str(url.database))

    def prepare(connection: Any, _record: object) -> None:  # noqa: ANN401  # the driver's own
        connection.isolation_level = None  # the driver must not BEGIN by itself: we do
        for pragma in (
            f"busy_timeout = {BUSY_TIMEOUT_S * 1000}",
            "journal_mode = WAL",  # readers and the writer do not wait for each other
            "synchronous = FULL",  # a commit survives a power cut: 202 is a promise
            "foreign_keys = ON",
            "secure_delete = ON",  # what is deleted does not stay in free pages
        ):
            connection.execute(f"PRAGMA {pragma}")

    def begin(connection: Connection) -> None:
        # A transaction that reads first and writes later would fail, not wait, on a busy file.
        options = connection.get_execution_options()
        if not options.get("outside"):
            reads = options.get("reads_only")
            connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    def before_connect(*_: object) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _require_room(path)
        # Made here because SQLite would make it readable to all; WAL and SHM take its mode. Only
        # if it is not there: to close a file gives up all of a process's locks on it, and the next
        # who leaves would take the WAL away from under the connections of this one.
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))

    event.listen(engine, "do_connect", before_connect)
    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", begin)
    return engine


def _require_room(path: Path) -> None:
    """Raises OSError: the disk has no room for the index of the log, should it be made now.

    SQLite maps it: to touch a page for which there is no room would end the process (SIGBUS).
    """
    found = os.statvfs(path.parent)
    if found.f_bavail * found.f_frsize < LEAST_ROOM:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _postgres(url: URL) -> Engine:
    wishes = {
        "connect_timeout": 5,  # seconds
        "tcp_user_timeout": 10_000,  # milliseconds until a silent peer counts as gone
        "application_name": "photoward",
    }
    return create_engine(
        url,
        hide_parameters=True,
        connect_args={key: value for key, value in wishes.items() if key not in url.query},
        pool_pre_ping=True,  # the server may have been restarted since
        pool_size=5,
        max_overflow=15,
        pool_timeout=BUSY_TIMEOUT_S,
    )


def clock(
    connection: Connection, after: timedelta = timedelta()
) -> datetime | ColumnElement[datetime]:
    """The same as ``now``, and so long after, to be written: it costs no question of its own.

    Not to find rows by: a planner uses no index for what may change while it looks.
    """
    if connection.dialect.name == "sqlite":
        return now(connection) + after
    return func.clock_timestamp(type_=DateTime(timezone=True)) + after


def now(connection: Connection) -> datetime:
    """The database's clock: hosts whose clocks differ must not steal each other's leases."""
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)
    moment: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return moment.astimezone(UTC)


@contextmanager
def translated() -> Iterator[None]:
    """Tell the drivers' errors apart: who is to blame?

    Raises:
        BadInput: a value is none that the database can hold.
        ValueError: rows contradict each other: a fault of ours, and no answer to anybody.
        Unavailable: everything else; ``storage_full`` when the disk is.
    """
    try:
        yield
    except PoolTimeoutError as error:
        raise Unavailable("All database connections are in use.") from error
    except DataError as error:
        raise BadInput("invalid_option", f"The ledger cannot store it ({_kind(error)}).") from None
    except IntegrityError as error:
        raise ValueError(f"The ledger's rows contradict each other ({_kind(error)}).") from None
    except DBAPIError as error:
        cause = error.orig
        if _is_full(cause):
            raise Unavailable("The ledger's disk is full.", code="storage_full") from cause
        raise Unavailable(f"The ledger does not respond ({_kind(error)}).") from cause
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise Unavailable("The ledger's disk is full.", code="storage_full") from error
        raise Unavailable(f"The ledger's file cannot be opened: {error.strerror}.") from error


def _kind(error: DBAPIError) -> str:
    """What went wrong, without any of the values: the name of a constraint, or of the error."""
    told = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
    return str(told or type(error.orig).__name__)


def _is_full(cause: BaseException | None) -> bool:
    code = getattr(cause, "sqlite_errorcode", 0)
    disk_full = "53100"
    return (
        code & 0xFF == sqlite3.SQLITE_FULL  # the low byte is the primary code
        or code == sqlite3.SQLITE_IOERR_SHMSIZE  # its index of the log cannot grow
        or getattr(cause, "sqlstate", None) == disk_full
    )
