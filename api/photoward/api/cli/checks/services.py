"""Checks of ``photoward doctor``: data folder, secret, queue, ledger, object store, traces.

Files that the embedded service creates at its first start are not created here.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from photoward.api.cli.checks.result import CheckResult
from photoward.core import tracing
from photoward.core.errors import PhotowardError
from photoward.core.key_derivation import SECRET_BYTES
from photoward.core.queue import open_wake_up_sender
from photoward.core.queue.server import find_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from photoward.core.settings import Settings

LEAST_FREE_GIB = 1.0
LATER = "made at the first start"


def findings(settings: Settings) -> Iterator[CheckResult]:
    """Every check of this module once."""
    yield data_folder(settings)
    yield master_secret(settings)
    yield queue(settings)
    yield ledger(settings)
    yield store(settings)
    if tracing.configured():
        yield traces()


def data_folder(settings: Settings) -> CheckResult:
    """Whether it (or the folder that will contain it) is writable and has free space."""
    folder = settings.data_dir.absolute()
    present = next(path for path in (folder, *folder.parents) if path.exists())
    if not present.is_dir() or not os.access(present, os.W_OK | os.X_OK):
        return CheckResult(
            "Data folder",
            ok=False,
            found=f"{present} cannot be written",
            remedy="Choose another folder with PHOTOWARD_DATA_DIR.",
        )
    free_gib = shutil.disk_usage(present).free / 2**30
    return CheckResult(
        "Data folder",
        free_gib >= LEAST_FREE_GIB,
        f"{folder}, {free_gib:.1f} GiB free",
        "" if free_gib >= LEAST_FREE_GIB else "Make room, or choose another disk.",
    )


def master_secret(settings: Settings) -> CheckResult:
    """Whether it is complete and not readable by others."""
    path = settings.master_secret
    if not path.exists():
        return CheckResult("Master secret", ok=True, found=LATER)
    about = path.stat()
    if about.st_mode & 0o077:
        return CheckResult(
            "Master secret",
            ok=False,
            found=f"{path} can be read by others",
            remedy=f"chmod 0400 {path}",
        )
    whole = about.st_size == SECRET_BYTES
    remedy = "" if whole else "Put the right file back: another secret gives other noise."
    return CheckResult("Master secret", whole, f"{path}, {about.st_size} bytes", remedy)


def queue(settings: Settings) -> CheckResult:
    """Whether REDIS_URL answers or, without one, a server program is there to be started."""
    try:
        if settings.redis_url is None:
            return CheckResult("Queue server", ok=True, found=" ".join(find_server()))
        open_wake_up_sender(settings).check()
    except PhotowardError as error:
        return CheckResult("Queue server", ok=False, found=error.detail, remedy="Mend REDIS_URL.")
    return CheckResult("Queue server", ok=True, found="REDIS_URL answers")


def ledger(settings: Settings) -> CheckResult:
    """Whether the database takes connections; its tables are left as they are."""
    if settings.database_url is None and not (settings.data_dir / "ledger.sqlite").exists():
        return CheckResult("Ledger", ok=True, found=f"SQLite, {LATER}")
    import sqlalchemy as sa  # a third of a second; only here

    remedy = "Correct PHOTOWARD_DATABASE_URL, or start the server."
    try:
        address = sa.make_url(settings.database)
        if address.get_backend_name() == "sqlite" and not _exists(address.database):
            return CheckResult("Ledger", ok=True, found=f"SQLite, {LATER}")
        engine = sa.create_engine(address)
        sa.inspect(engine).get_table_names()  # SQLite looks at its file only when it must
        engine.dispose()
    except sa.exc.ArgumentError:  # its text may hold the password
        return CheckResult("Ledger", ok=False, found="not a database URL", remedy=remedy)
    except (sa.exc.SQLAlchemyError, ImportError) as error:
        kind = type(error).__name__
        return CheckResult("Ledger", ok=False, found=f"{address!r}: {kind}", remedy=remedy)
    return CheckResult("Ledger", ok=True, found=f"{address!r} answers")


def store(settings: Settings) -> CheckResult:
    """Whether the object store answers."""
    from photoward.core.storage import open_store

    if settings.storage_url is None and not (settings.data_dir / "objects").exists():
        return CheckResult("Store", ok=True, found=f"a folder, {LATER}")
    try:
        open_store(settings).check()
    except PhotowardError as error:
        return CheckResult(
            "Store",
            ok=False,
            found=error.detail,
            remedy="Correct PHOTOWARD_STORAGE_URL and the AWS_* variables.",
        )
    return CheckResult("Store", ok=True, found=f"{settings.storage} answers")


def traces() -> CheckResult:
    """Whether traces can be exported to the receiver that the environment names."""
    reason = tracing.missing_requirement()
    found = "exported as OTEL_* set" if reason is None else "not exported"
    return CheckResult("Traces", reason is None, found, reason or "", needed=False)


def _exists(path: str | Path | None) -> bool:
    return path is not None and os.path.exists(path)  # noqa: PTH110  # SQLAlchemy gives a str
