"""The few EXIF fields that matter, read from a hostile TIFF block without ever failing.

Nothing else of EXIF is read anywhere: what is not named here cannot slip into an output.
"""

from __future__ import annotations

from dataclasses import dataclass

ORIENTATION, ARTIST, COPYRIGHT = 0x0112, 0x013B, 0x8298
MAX_ENTRIES = 512
MAX_TEXT = 1024
"""Bytes of a text field that are kept."""

_ASCII, _SHORT = 2, 3
_ORDERS = {b"II*\0": "little", b"MM\0*": "big"}


@dataclass(frozen=True)
class Exif:
    """What a picture's EXIF block says; defaults where it is silent or broken."""

    orientation: int = 1
    """1 to 8."""
    artist: str = ""
    copyright: str = ""


def parse(block: bytes) -> Exif:
    """Read the first directory of an EXIF block, with or without its ``Exif`` prefix."""
    tiff = block.removeprefix(b"Exif\0\0")
    order = _ORDERS.get(tiff[:4])
    if order is None:
        return Exif()
    found = _Directory(tiff, big=order == "big")
    orientation = found.short(ORIENTATION)
    known = range(1, 9)
    return Exif(
        orientation if orientation in known else 1, found.text(ARTIST), found.text(COPYRIGHT)
    )


class _Directory:
    """The first directory as tag → (type, count, the entry's four value bytes)."""

    def __init__(self, tiff: bytes, *, big: bool) -> None:
        self.tiff = tiff
        self.big = big
        self.entries: dict[int, tuple[int, int, bytes]] = {}
        start = self._number(tiff[4:8])
        count = min(self._number(tiff[start : start + 2]), MAX_ENTRIES)
        for at in range(start + 2, start + 2 + 12 * count, 12):
            entry = tiff[at : at + 12]
            if len(entry) < 12:  # noqa: PLR2004  # a directory entry's length
                break
            head = (self._number(entry[2:4]), self._number(entry[4:8]), entry[8:])
            self.entries.setdefault(self._number(entry[:2]), head)

    def short(self, tag: int) -> int:
        kind, count, value = self.entries.get(tag, (0, 0, b""))
        return self._number(value[:2]) if kind == _SHORT and count else 0

    def text(self, tag: int) -> str:
        kind, count, value = self.entries.get(tag, (0, 0, b""))
        if kind != _ASCII:
            return ""
        if count > len(value):
            start = self._number(value)
            value = self.tiff[start : start + min(count, MAX_TEXT)]
        # EXIF says ASCII, cameras and people write UTF-8 or Latin-1: bytes pass through unchanged.
        return value[:count].strip(b"\0 ").decode("latin-1")

    def _number(self, raw: bytes) -> int:
        return int.from_bytes(raw, "big" if self.big else "little")
