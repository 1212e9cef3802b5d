"""Zip archives. Nothing that one says of itself is trusted.

The number and the lengths of its files are checked before anything is unpacked, and counted again
meanwhile.
"""

from __future__ import annotations

import io
import struct
import zipfile
from typing import IO, TYPE_CHECKING

from photoward.api.ingest.archives.base import (
    CHUNK,
    MAX_DIRECTORY,
    MAX_MEMBERS,
    Archive,
    ArchiveMember,
)
from photoward.core.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_END = struct.Struct("<4s4H2LH")
"""End of central directory record (APPNOTE 6.3.10, 4.3.16)."""
_ENTRY = struct.Struct("<4s24x3H12x")
"""Of the central directory (4.3.12): the lengths of name, extra field and comment follow it."""
_LOCAL = 30
"""Bytes of a local header at least."""
_LONGEST_COMMENT = 0xFFFF
_SIGNATURE, _ZIP64, _LISTED = b"PK\5\6", b"PK\6\7", b"PK\1\2"
_LOCATOR = 20
_ENCRYPTED = 1


class ZipArchive(Archive[zipfile.ZipInfo]):
    """An opened zip.

    Args:
        file: a whole archive, seekable.
        max_bytes: of all members together, unpacked.

    Raises:
        BadInput: ``corrupt`` or ``body_too_large``.
    """

    def __init__(self, file: IO[bytes], max_bytes: int) -> None:
        _check_directory(file)
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as error:
            raise BadInput("corrupt", "The archive is no zip that can be read.") from error
        infos = [one for one in self._zip.infolist() if not one.is_dir()]
        if sum(one.file_size for one in infos) > max_bytes:
            raise BadInput("body_too_large", f"Unpacked it would have more than {max_bytes} bytes.")
        _require_apart(infos, self._zip.start_dir)
        super().__init__([ArchiveMember(one.filename, one, _refused(one)) for one in infos])

    def chunks(self, at: zipfile.ZipInfo) -> Iterator[bytes]:
        """A file's bytes, as ``Archive`` wants them."""
        try:
            with self._zip.open(at) as member:
                while chunk := member.read(CHUNK):
                    yield chunk
        except Exception as error:  # decompressors fail with errors of their own
            raise BadInput("corrupt", "This file cannot be unpacked.") from error


def _refused(info: zipfile.ZipInfo) -> str | None:
    return "This file is encrypted." if info.flag_bits & _ENCRYPTED else None


def _check_directory(file: IO[bytes]) -> None:
    """Refuse a list of members that is too long to be read, before it is."""
    length = file.seek(0, io.SEEK_END)
    start = max(0, length - _END.size - _LONGEST_COMMENT)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(_SIGNATURE)
    if at < 0 or at + _END.size > len(tail):
        raise BadInput("corrupt", "The archive is no zip that can be read.")
    _, _, _, _, count, size, _, _ = _END.unpack_from(tail, at)
    if tail[max(0, at - _LOCATOR) : at].startswith(_ZIP64) or count > MAX_MEMBERS:
        raise BadInput("body_too_large", f"The archive has more than {MAX_MEMBERS} files.")
    if size > MAX_DIRECTORY:
        raise BadInput("body_too_large", "The archive's list of files is too long.")
    file.seek(max(0, start + at - size))
    if _counted(file.read(size)) != count:
        raise BadInput("corrupt", "The archive has another number of files than it says.")
    file.seek(0)


def _counted(directory: bytes) -> int:
    """Entries in a list of members, as its reader would find them."""
    at = count = 0
    while at + _ENTRY.size <= len(directory):
        signature, *lengths = _ENTRY.unpack_from(directory, at)
        if signature != _LISTED:
            break
        at, count = at + _ENTRY.size + sum(lengths), count + 1
    return count


def _require_apart(infos: Iterable[zipfile.ZipInfo], end: int) -> None:
    """Refuse files that lie in each other: so few bytes become many."""
    before = 0
    for info in sorted(infos, key=lambda one: one.header_offset):
        if info.header_offset < before:
            raise BadInput("corrupt", "Files of the archive lie in each other.")
        before = info.header_offset + _LOCAL + info.compress_size
    if before > end:
        raise BadInput("corrupt", "Files of the archive lie in each other.")
