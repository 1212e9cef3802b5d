"""A zip archive as it is written, chunk by chunk; nothing of it is held."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def stream_zip(members: Iterable[tuple[str, Iterable[bytes]]]) -> Iterator[bytes]:
    """The bytes of a zip; photos are compressed already and are stored as they are.

    Args:
        members: path and content of each; equal paths get a number.
    """
    buffer = _Buffer()
    counts: dict[str, int] = {}
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path, chunks in members:
            info = zipfile.ZipInfo(_unique(path, counts))
            with archive.open(info, "w") as member:
                for chunk in chunks:
                    member.write(chunk)
                    yield buffer.drain()
    yield buffer.drain()


def _unique(path: str, counts: dict[str, int]) -> str:
    same = path.casefold()  # to Windows and macOS
    count = counts[same] = counts.get(same, 0) + 1
    if count == 1:
        return path
    stem, dot, suffix = path.rpartition(".")
    return _unique(f"{stem}-{count}{dot}{suffix}" if dot else f"{path}-{count}", counts)


class _Buffer(io.RawIOBase):
    """Holds what the zip's writer has written until it is drained."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:  # noqa: ANN401  # any buffer
        self._waiting += data
        return len(data)

    def drain(self) -> bytes:
        """All bytes since the last call."""
        found = bytes(self._waiting)
        self._waiting.clear()
        return found
