"""Files that appear whole or not at all, and those that are nobody's; knows nothing of contents."""

from __future__ import annotations

import os
import re
import secrets
import time
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING

from photoward.core.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import IO

LEFT_OUT = frozenset({
    "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "__MACOSX", "lost+found",
})  # fmt: skip
"""Folders in which servers and systems keep what is theirs: thumbnails, what was deleted."""

STALE_S = 3600.0
"""A draft this old is nobody's any more."""

_DRAFT = re.compile(r"\.[0-9a-f]{16}\.part")


def is_hidden(part: str) -> bool:
    """Whether a file or folder of this name is nobody's photo."""
    return part.startswith(".") or part in LEFT_OUT


def write_whole(
    target: Path, data: bytes, modified_ns: int | None = None, *, mode: int = 0o666
) -> None:
    """Write a file, and the folders above it, so that nobody sees half of it.

    Args:
        target: replaced if it is there; its folder holds a draft meanwhile, and nothing of that
            stays when it cannot be written.
        data: what it holds then, on the disk.
        modified_ns: when it shall say that it was changed, nanoseconds since the epoch; None: now.
        mode: who may read and write it, before the umask.

    Raises:
        Unavailable: it cannot be written.
    """
    with open_whole(target, mode=mode) as file:
        file.write(data)
        if modified_ns is not None:
            file.flush()
            with suppress(OSError):  # not every file system can tell
                os.utime(file.fileno(), ns=(modified_ns, modified_ns))


@contextmanager
def open_whole(target: Path, *, mode: int = 0o666) -> Iterator[IO[bytes]]:
    """A draft to write to, which takes its name at the end of the block, if nothing was raised.

    Args:
        target: as of ``write_whole``.
        mode: as of ``write_whole``.

    Raises:
        Unavailable: it cannot be written.
    """
    draft = target.with_name(f".{secrets.token_hex(8)}.part")  # the name may be as long as any
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target.parent)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    except OSError as error:
        raise Unavailable(f"{target} cannot be written: {error.strerror}.") from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


@cache
def _sweep(folder: Path) -> None:
    """Remove what was left by those who were killed while they wrote; once a process."""
    latest = time.time() - STALE_S
    for draft in folder.glob(".*.part"):
        if _DRAFT.fullmatch(draft.name):
            with suppress(OSError):  # another has removed or renamed it
                if draft.stat().st_ctime < latest:
                    draft.unlink()
