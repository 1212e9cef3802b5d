"""Whole files in any storage: read, replaced at once, listed, hashed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from django.core.files.base import ContentFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.core.files.storage import Storage


def digest(data: bytes) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def read(storage: Storage, name: str) -> bytes | None:
    """A file's bytes; None: there is none."""
    try:
        with storage.open(name) as file:
            data: bytes = file.read()
            return data
    except FileNotFoundError:
        return None


def replace(storage: Storage, name: str, data: bytes) -> None:
    """Write a file, so that a reader sees the old or the new one, whole.

    A folder: under another name, synchronised, then renamed. Any other storage: as it saves, for
    which it must overwrite (S3 does: a put is atomic).

    Raises:
        OSError: it cannot be written, or the storage took another name.
    """
    try:
        path = Path(storage.path(name))
    except NotImplementedError:
        if storage.exists(name) and not getattr(storage, "file_overwrite", False):
            storage.delete(name)
        taken = storage.save(name, ContentFile(data))
        if taken != name:
            storage.delete(taken)
            raise OSError(f"The storage does not overwrite {name}.") from None
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = getattr(storage, "file_permissions_mode", None) or 0o644
    handle, temporary = tempfile.mkstemp(prefix=".photoward-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def walk(storage: Storage, folder: str = "") -> Iterator[str]:
    """The names of all files, sorted; hidden ones are left out."""
    with contextlib.suppress(FileNotFoundError):
        folders, files = storage.listdir(folder)
        for name in sorted(files):
            if not name.startswith("."):
                yield f"{folder}{name}"
        for name in sorted(folders):
            yield from walk(storage, f"{folder}{name}/")
