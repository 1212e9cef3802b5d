"""Archives: what those that come have in common, and zips that go out, member by member.

Names are words here, not paths.
"""

from __future__ import annotations

import io
import json
import zipfile
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from photoward.api.ingest import filenames
from photoward.api.ingest.json_lines import Lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from photoward.api.ingest.json_lines import Line

MAX_MEMBERS = 10_000
MAX_DIRECTORY = 16 << 20
"""Bytes of an archive's list of members, which is held as a whole."""

MANIFEST = "manifest.ndjson"
CHUNK = 1 << 18

At = TypeVar("At")


@dataclass(frozen=True)
class Member(Generic[At]):
    """One file in an archive."""

    name: str
    """As it stands there."""
    at: At
    """Where its bytes are, for its archive."""
    refused: str | None
    """Why it cannot be taken; None: nothing is known against it."""

    @property
    def path(self) -> str | None:
        """Its name, cleaned: it leads nowhere. None: nothing is left of it."""
        return filenames.clean_path(self.name)


class Archive(ABC, Generic[At]):
    """An archive that came, all of whose files are known; folders are none.

    Args:
        listed: its files, as they stand there.
    """

    def __init__(self, listed: Sequence[Member[At]]) -> None:
        self._listed = listed

    @abstractmethod
    def chunks(self, at: At) -> Iterator[bytes]:
        """A member's bytes, no more of them than the archive announced.

        Raises:
            BadInput: ``corrupt``.
        """

    def members(self) -> Iterator[Member[At]]:
        """Everything but the manifest and what operating systems leave behind."""
        for member in self._listed:
            if member.path is None or member.name == MANIFEST:
                continue
            if not member.path.startswith("__MACOSX/") and not filenames.is_hidden(member.name):
                yield member

    def manifest(self) -> list[Line]:
        """The manifest's lines; none if there is no manifest.

        Raises:
            BadInput: it cannot be read, or is too long.
        """
        lines = Lines()
        found = next((one for one in self._listed if one.name == MANIFEST), None)
        for chunk in () if found is None else self.chunks(found.at):
            lines.feed(chunk)
        return lines.finish()


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
    same = wanted.casefold()  # to Windows and macOS
    count = names[same] = names.get(same, 0) + 1
    if count == 1:
        return wanted
    stem, dot, suffix = wanted.rpartition(".")
    return _unique(f"{stem}-{count}{dot}{suffix}" if dot else f"{wanted}-{count}", names)


def line(told: dict[str, Any]) -> bytes:
    """One line of NDJSON; what is no text is written as JSON writes it."""
    text = json.dumps(told, ensure_ascii=False, default=str)
    return text.encode(errors="backslashreplace") + b"\n"


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
