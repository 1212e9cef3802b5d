"""What zip and tar archives have in common. Nothing is extracted: names are data, not paths."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from photoward.api.ingest import filenames
from photoward.api.ingest.ndjson import NdjsonReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from photoward.api.ingest.ndjson import Line

MAX_MEMBERS = 10_000
MAX_DIRECTORY = 16 << 20
"""Bytes of an archive's list of members, which is held as a whole."""

MANIFEST = "manifest.ndjson"
CHUNK = 1 << 18

At = TypeVar("At")


@dataclass(frozen=True)
class ArchiveMember(Generic[At]):
    """One file in an archive."""

    name: str
    """As the archive has it."""
    at: At
    """Where its bytes are; only its archive can tell."""
    refused: str | None
    """Why it cannot be accepted; None: nothing is known against it."""

    @property
    def path(self) -> str | None:
        """Its name as a relative path without ``..``; None: nothing is left of it."""
        return filenames.clean_path(self.name)


class Archive(ABC, Generic[At]):
    """An archive whose list of files has been read.

    Args:
        listed: its files in order, without folders.
    """

    def __init__(self, listed: Sequence[ArchiveMember[At]]) -> None:
        self._listed = listed

    @abstractmethod
    def chunks(self, at: At) -> Iterator[bytes]:
        """A member's bytes, at most as many as the archive announced.

        Raises:
            BadInput: ``corrupt``.
        """

    def members(self) -> Iterator[ArchiveMember[At]]:
        """All files but the manifest and those that operating systems add."""
        for member in self._listed:
            if member.path is None or member.name == MANIFEST:
                continue
            if not member.path.startswith("__MACOSX/") and not filenames.is_hidden(member.name):
                yield member

    def manifest(self) -> list[Line]:
        """The lines of ``MANIFEST``; none if the archive has none.

        Raises:
            BadInput: it cannot be read, or is too long.
        """
        reader = NdjsonReader()
        found = next((one for one in self._listed if one.name == MANIFEST), None)
        for chunk in () if found is None else self.chunks(found.at):
            reader.feed(chunk)
        return reader.finish()
