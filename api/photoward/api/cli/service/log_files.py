"""Log files of programs that run for months: how long they get, and what is kept of before.

Knows nothing of who writes them, but that it appends.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 20 * 2**20
"""Of a log; at a hundred requests a second that is a quarter of an hour."""

KEPT = 3
"""Older ones, ``NAME.log.1`` to ``.3``."""


def rotate(log: Path, new: Path | None = None) -> None:
    """Count the older logs on, the oldest goes; the first of them is ``new``, or the log itself."""
    for number in range(KEPT, 0, -1):
        older = (new or log) if number == 1 else log.with_name(f"{log.name}.{number - 1}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number}"))


def truncate_long(log: Path, most: int | None = None) -> None:
    """Begin a long log anew, while somebody writes it.

    It is copied and emptied, as its writers hold it open: what they append goes on at its new
    beginning. What they write in the instant between is lost, and so is all of it where there is
    no room for a copy.

    Args:
        log: there or not.
        most: bytes; ``MAX_BYTES`` if nothing is said.
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
