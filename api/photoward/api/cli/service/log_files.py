"""Rotation of log files that other processes append to."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 20 * 2**20
"""Largest size of a log; a quarter of an hour at a hundred requests a second."""

OLD_LOGS = 3
"""Old logs that are kept, ``NAME.log.1`` to ``.3``."""


def rotate(log: Path, new: Path | None = None) -> None:
    """Rename the log (or ``new``) to ``.1``, older logs to the next number; remove the oldest."""
    for number in range(OLD_LOGS, 0, -1):
        older = (new or log) if number == 1 else log.with_name(f"{log.name}.{number - 1}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number}"))


def truncate_long(log: Path, most: int | None = None) -> None:
    """Rotate a long log that another process has open.

    The log is copied and truncated, and its writer continues at the new start. What is written
    between copy and truncation is lost; without room for a copy the whole log is.

    Args:
        log: need not exist.
        most: bytes; None: ``MAX_BYTES``.
    """
    try:
        if log.stat().st_size <= (MAX_BYTES if most is None else most):
            return
    except FileNotFoundError:
        return
    draft = log.with_name(f".{log.name}.part")
    try:
        with log.open("rb") as source, draft.open("wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
            os.truncate(log, 0)
    except OSError:
        os.truncate(log, 0)
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    else:
        rotate(log, draft)
