"""Tar archives, plain or compressed.

What is not a plain file is refused. Headers are not trusted: their length is limited, and a file
must lie where the archive has bytes.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import tempfile
import zlib
from typing import IO, TYPE_CHECKING

from photoward.api.ingest.archives.base import (
    CHUNK,
    MAX_DIRECTORY,
    MAX_MEMBERS,
    Archive,
    ArchiveMember,
)
from photoward.api.ingest.spool import write_failed
from photoward.core.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_HEADER = 1 << 16
"""Bytes between two files: a long name, times, owners."""

MAX_RATIO = 20
"""Times as large as it came: photos are compressed already, and pages of scans hardly better."""

ALWAYS_ALLOWED = 64 << 20
"""Bytes that any archive may have when it is unpacked, whatever its ratio."""

MAX_GLOBAL = 100
"""Properties that hold for all files; each file gets a copy of them."""


class TarArchive(Archive[tuple[int, int]]):
    """An opened tar.

    Args:
        file: a whole archive, not compressed, seekable.

    Raises:
        BadInput: ``corrupt`` or ``body_too_large``.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        try:
            super().__init__(list(_members(file)))
        except BadInput:
            raise
        except Exception as error:  # headers are read with errors of many kinds
            raise BadInput("corrupt", "The archive is no tar that can be read.") from error

    def chunks(self, at: tuple[int, int]) -> Iterator[bytes]:
        """A file's bytes, as ``Archive`` wants them."""
        start, left = at
        self._file.seek(start)
        while left and (chunk := self._file.read(min(left, CHUNK))):
            left -= len(chunk)
            yield chunk


def _members(file: IO[bytes]) -> Iterator[ArchiveMember[tuple[int, int]]]:
    headers = _Headers(file)
    length = file.seek(0, io.SEEK_END)
    file.seek(0)
    count = named = 0
    with tarfile.open(fileobj=headers, mode="r:") as archive:
        while (info := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]  # it would keep them all
            headers.left = MAX_HEADER
            count, named = count + 1, named + len(info.name)
            if count > MAX_MEMBERS or named > MAX_DIRECTORY:
                raise BadInput("body_too_large", f"The archive has more than {MAX_MEMBERS} files.")
            plain = info.isreg() and info.sparse is None
            lies = info.size < 0 or (plain and info.size > length)
            if lies or len(archive.pax_headers) > MAX_GLOBAL:
                raise BadInput("corrupt", "The archive's headers cannot be.")
            if not info.isdir():
                refused = None if plain else "It is a link or something else that is no file."
                name = _decoded(info.name).removeprefix("./")
                yield ArchiveMember(name, (info.offset_data, info.size), refused)
        file.seek(archive.offset)
        if file.read(tarfile.BLOCKSIZE).strip(b"\0"):  # the reader would take it for the end
            raise BadInput("corrupt", "The archive breaks off.")


def _decoded(name: str) -> str:
    """A name as text, whatever bytes it had: what is not UTF-8 was Latin-1 mostly."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return name.encode(errors="surrogateescape").decode("latin-1")
    return name


def decompress(file: IO[bytes], max_bytes: int) -> IO[bytes]:
    """A gzip file decompressed into an unnamed file, which the caller closes.

    Raises:
        BadInput: ``corrupt``, or ``body_too_large`` beyond so many bytes, or so many times its own.
        Unavailable: there is no room for it.
    """
    max_bytes = min(max_bytes, max(ALWAYS_ALLOWED, MAX_RATIO * file.seek(0, io.SEEK_END)))
    file.seek(0)
    whole = tempfile.TemporaryFile()  # noqa: SIM115  # the caller's
    try:
        for chunk in _decompressed(file):
            _require_short(whole.tell() + len(chunk), max_bytes)
            try:
                whole.write(chunk)
            except OSError as error:
                raise write_failed(error, "archive") from error
    except BaseException:
        whole.close()
        raise
    return whole


def _require_short(length: int, max_bytes: int) -> None:
    if length > max_bytes:
        raise BadInput("body_too_large", f"Unpacked it has more than {max_bytes} bytes.")


def _decompressed(file: IO[bytes]) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=file) as packed:
        while True:
            try:
                chunk = packed.read(CHUNK)
            except (OSError, EOFError, zlib.error) as error:
                raise BadInput("corrupt", "The archive cannot be unpacked.") from error
            if not chunk:
                return
            yield chunk


class _Headers(io.RawIOBase):
    """The archive's file for the reader of headers, which would read one of any length."""

    def __init__(self, file: IO[bytes]) -> None:
        self._inner = file
        self.left = MAX_HEADER

    def read(self, size: int = -1, /) -> bytes:
        """The next ``size`` bytes.

        Raises:
            BadInput: there is too much between two files.
        """
        self.left -= size
        if size < 0 or self.left < 0:
            raise BadInput("corrupt", f"A header has more than {MAX_HEADER} bytes.")
        return self._inner.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move in the archive's file."""
        return self._inner.seek(offset, whence)

    def tell(self) -> int:
        """The position in the archive's file."""
        return self._inner.tell()
