"""The files in which processes tell each other's metrics, written instead of mapped.

``prometheus_client`` maps them into memory: who touches a page for which the disk has no room is
ended by the kernel (SIGBUS), and so is whoever is started after it. Here a process counts in its
own memory and writes that out; what finds no room is written with the next count that does.
"""

from __future__ import annotations

import contextlib
import os
import struct
from typing import TYPE_CHECKING

from prometheus_client import mmap_dict, values

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = 8
LENGTH = struct.Struct("i")
"""Of what counts of a file, at its head; of a key, before it."""
PAIR = struct.Struct("dd")
"""Value and moment, after it."""


class Counts:
    """What ``MmapedDict`` is to the library, in the form that its readers know; not thread-safe.

    A file's head, which says how much of it counts, is written last: it is whole at any moment.
    """

    def __init__(self, filename: str) -> None:
        """Go on with what the file holds, if it can be read."""
        self._filename = filename
        self._descriptor: int | None = None
        self._data = bytearray(HEAD)
        self._at: dict[str, int] = {}
        self._written = HEAD
        for key, value, moment in _kept(filename):
            self._add(key, value, moment)
        self._catch_up()

    def read_value(self, key: str) -> tuple[float, float]:
        """Value and moment of a key; zeros when it is new."""
        if key not in self._at:
            self.write_value(key, 0.0, 0.0)
        value, moment = PAIR.unpack_from(self._data, self._at[key])
        return value, moment

    def write_value(self, key: str, value: float, timestamp: float) -> None:
        """Set the value and moment of a key."""
        if key not in self._at:
            self._add(key, value, timestamp)
        at = self._at[key]
        PAIR.pack_into(self._data, at, value, timestamp)
        if at < self._written and not self._wrote(at, at + PAIR.size):
            self._written = HEAD  # nobody knows what is missing: all of it again
        self._catch_up()

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _add(self, key: str, value: float, moment: float) -> None:
        words = key.encode()
        self._data += LENGTH.pack(len(words)) + words + b" " * (8 - (len(words) + 4) % 8)
        self._at[key] = len(self._data)
        self._data += PAIR.pack(value, moment)
        LENGTH.pack_into(self._data, 0, len(self._data))

    def _catch_up(self) -> None:
        if self._written == len(self._data) > HEAD:
            return
        if self._wrote(self._written, len(self._data)) and self._wrote(0, HEAD):
            self._written = len(self._data)

    def _wrote(self, start: int, end: int) -> bool:
        with contextlib.suppress(OSError):
            if self._descriptor is None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
                self._descriptor = os.open(self._filename, flags, 0o644)
                if not os.fstat(self._descriptor).st_size:
                    os.ftruncate(self._descriptor, HEAD)  # readers want one, be it of zeros
            data = memoryview(self._data)[start:end]
            return os.pwrite(self._descriptor, data, start) == len(data)
        return False


def install() -> None:
    """Have all metrics that are made from now on counted so, if they are counted in files."""
    values.MmapedDict = Counts  # type: ignore[attr-defined, assignment]  # the only way in


def _kept(filename: str) -> Iterator[tuple[str, float, float]]:
    read = mmap_dict.MmapedDict.read_all_values_from_file
    with contextlib.suppress(OSError, ValueError, RuntimeError, struct.error):  # none, or no such
        for key, value, moment, _ in read(filename):  # type: ignore[no-untyped-call]  # ships none
            yield key, value, moment
