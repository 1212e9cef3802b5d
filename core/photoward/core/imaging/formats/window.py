"""The bytes at hand, read with bounds; knows no format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from photoward.core.errors import BadInput

if TYPE_CHECKING:
    import re

MAX_STEPS = 4096
"""Blocks (segments, chunks, boxes) before the header is complete; real files have a few hundred at
most. It bounds what looking again at a growing head can cost."""


class Short(Exception):  # noqa: N818  # no error: more bytes may come
    """The answer lies beyond the bytes at hand."""


class Window:
    """Reads of a file's head; each raises ``Short`` instead of returning less than asked for."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, at: int, length: int) -> bytes:
        """``length`` bytes from offset ``at``."""
        if at + length > len(self.data):
            raise Short
        return self.data[at : at + length]

    def find(self, pattern: re.Pattern[bytes], at: int) -> int:
        """Where a pattern begins, from offset ``at`` on."""
        found = pattern.search(self.data, at)
        if found is None:
            raise Short
        return found.start()

    def number(self, at: int, length: int) -> int:
        """An unsigned big-endian integer."""
        return int.from_bytes(self.take(at, length), "big")

    def little(self, at: int, length: int) -> int:
        """An unsigned little-endian integer."""
        return int.from_bytes(self.take(at, length), "little")


def corrupt(what: str) -> BadInput:
    """The refusal of a header that makes no sense."""
    return BadInput("corrupt", what)
