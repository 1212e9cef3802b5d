"""The mark of our own output: an instance id in its XMP that every installation recognises.

The id looks like any other ``xmpMM:InstanceID``. Its first half follows one-way from a secret and
the picture, so that it tells nothing of whose it is; its second half is a check of the first, so
that no other program's id is taken for one of ours. It is looked for in a file's bytes, where
every format that is written keeps its XMP as it is: nothing needs to be decoded.
"""

from __future__ import annotations

import hashlib
import re

PREFIX = b"xmp.iid:"
HALF = 16
"""Hexadecimal digits of each half."""
LENGTH = len(PREFIX) + 2 * HALF

_IDS = re.compile(re.escape(PREFIX) + rb"([0-9a-f]{%d})([0-9a-f]{%d})" % (HALF, HALF))


def output_mark(seed: bytes) -> str:
    """The instance id of an output.

    Args:
        seed: at least 8 bytes from which nobody can tell whose picture it is.
    """
    own = seed[: HALF // 2].hex()
    return f"{PREFIX.decode()}{own}{_check(own.encode())}"


def mark_id(mark: str) -> str:
    """The 32 hexadecimal digits of a mark."""
    return mark.removeprefix(PREFIX.decode())


def is_mark_id(text: str) -> bool:
    """Whether these could be the digits of a mark."""
    own, check = text[:HALF].encode(), text[HALF:]
    return re.fullmatch(rf"[0-9a-f]{{{2 * HALF}}}", text) is not None and _check(own) == check


def find_mark(data: bytes) -> str | None:
    """The digits of the first mark in these bytes; None: they hold none."""
    for found in _IDS.finditer(data):
        own, check = map(bytes, found.groups())
        if _check(own) == check.decode():
            return (own + check).decode()
    return None


def is_marked(data: bytes) -> bool:
    """Whether these bytes hold the mark of an output."""
    return find_mark(data) is not None


class MarkFinder:
    """Looks for the mark in a file that arrives in parts."""

    def __init__(self) -> None:
        self.mark: str | None = None
        """Its digits, once it is found."""
        self._tail = b""

    @property
    def found(self) -> bool:
        """Whether there is one."""
        return self.mark is not None

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        if self.found:
            return
        data = self._tail + chunk
        self.mark = find_mark(data)
        self._tail = data[1 - LENGTH :]


def _check(own: bytes) -> str:
    return hashlib.sha256(b"photoward output\0" + own).hexdigest()[:HALF]
