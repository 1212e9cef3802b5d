"""Zip files, in and out: member by member, never all at once. Names are words here, not paths.

What a zip says of itself is not believed: how many members it has and how long they are is checked
before anything is unpacked, and counted while it is.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from photoward.api.http import filenames
from photoward.api.http.lines import Lines
from photoward.core.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from photoward.api.http.lines import Line

MAX_MEMBERS = 10_000
MAX_DIRECTORY = 16 << 20
"""Bytes of a zip's list of members, which is read as a whole."""

MANIFEST = "manifest.ndjson"
CHUNK = 1 << 18

_END = struct.Struct("<4s4H2LH")
"""End of central directory record (APPNOTE 6.3.10, 4.3.16)."""
_LONGEST_COMMENT = 0xFFFF
_SIGNATURE, _ZIP64 = b"PK\5\6", b"PK\6\7"
_LOCATOR = 20
_ENCRYPTED = 1


@dataclass(frozen=True)
class Member:
    """One file in an archive."""

    name: str
    """As it stands there."""
    path: str
    """Cleaned: it leads nowhere."""
    info: zipfile.ZipInfo

    @property
    def encrypted(self) -> bool:
        """Whether it needs a password."""
        return bool(self.info.flag_bits & _ENCRYPTED)


class Unzipped:
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
        self._infos = [one for one in self._zip.infolist() if not one.is_dir()]
        if sum(one.file_size for one in self._infos) > max_bytes:
            raise BadInput("body_too_large", f"Unpacked it would have more than {max_bytes} bytes.")

    def members(self) -> Iterator[Member]:
        """Everything but folders, the manifest, and what operating systems leave behind."""
        for info in self._infos:
            path = filenames.clean_path(info.filename)
            if path is None or info.filename == MANIFEST:
                continue
            if not path.startswith("__MACOSX/") and "/." not in f"/{info.filename}":
                yield Member(info.filename, path, info)

    def chunks(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        """A member's bytes, no more of them than the archive announced.

        Raises:
            BadInput: ``corrupt``.
        """
        try:
            with self._zip.open(info) as member:
                while chunk := member.read(CHUNK):
                    yield chunk
        except Exception as error:  # decompressors fail with errors of their own
            raise BadInput("corrupt", "This file cannot be unpacked.") from error

    def manifest(self) -> list[Line]:
        """The manifest's lines; none if there is no manifest.

        Raises:
            BadInput: it cannot be read, or is too long.
        """
        lines = Lines()
        info = next((one for one in self._infos if one.filename == MANIFEST), None)
        for chunk in () if info is None else self.chunks(info):
            lines.feed(chunk)
        return lines.finish()


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
    file.seek(0)


def zipped(members: Iterable[tuple[str, Iterable[bytes]]]) -> Iterator[bytes]:
    """A zip as it is written; pictures are not compressed again.

    Args:
        members: name and bytes of each; equal names get a number.
    """
    buffer = _Pipe()
    names: dict[str, int] = {}
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for wanted, chunks in members:
            info = zipfile.ZipInfo(_unique(wanted, names))
            with archive.open(info, "w") as member:
                for chunk in chunks:
                    member.write(chunk)
                    yield buffer.taken()
    yield buffer.taken()


def _unique(wanted: str, names: dict[str, int]) -> str:
    count = names[wanted] = names.get(wanted, 0) + 1
    if count == 1:
        return wanted
    stem, dot, suffix = wanted.rpartition(".")
    return _unique(f"{stem}-{count}{dot}{suffix}" if dot else f"{wanted}-{count}", names)


def line(told: dict[str, Any]) -> bytes:
    """One line of NDJSON."""
    return json.dumps(told, ensure_ascii=False, default=str).encode() + b"\n"


class _Pipe(io.RawIOBase):
    """What the archive's writer writes to, and the answer takes from."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:  # noqa: ANN401  # any buffer
        self._waiting += data
        return len(data)

    def taken(self) -> bytes:
        """What has come since."""
        found = bytes(self._waiting)
        self._waiting.clear()
        return found
