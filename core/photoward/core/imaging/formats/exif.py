"""The few EXIF fields that matter, read from a hostile TIFF block without ever failing.

Nothing else of EXIF is read anywhere: what is not named here cannot slip into an output.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

ORIENTATION, ARTIST, COPYRIGHT = 0x0112, 0x013B, 0x8298
MAX_ENTRIES = 512
MAX_TEXT = 8192
"""Bytes of a text field that are kept."""

_X_DENSITY, _Y_DENSITY, _DENSITY_UNIT = 0x011A, 0x011B, 0x0128
_PICTURE, _COLOUR_SPACE, _INTEROPERABILITY, _INDEX = 0x8769, 0xA001, 0xA005, 1
_SRGB, _ADOBE = 1, 2
_ASCII, _SHORT, _LONG, _RATIONAL, _UTF8 = 2, 3, 4, 5, 129
_ORDERS = {b"II*\0": "little", b"MM\0*": "big"}
_CM = Fraction(254, 100)
_UNITS = {2: Fraction(1), 3: _CM}
"""Unit of density → in dots an inch."""


@dataclass(frozen=True)
class Exif:
    """What a picture's EXIF block says; defaults where it is silent or broken."""

    orientation: int = 1
    """1 to 8."""
    artist: str = ""
    copyright: str = ""
    density: tuple[float, float] | None = None
    """Dots an inch, across and down, as it says."""
    adobe_rgb: bool = False
    """The samples are of Adobe RGB: DCF's option file R03, or what old cameras write for it."""


def parse(block: bytes) -> Exif:
    """Read the first directory of an EXIF block, with or without its ``Exif`` prefix."""
    tiff = block.removeprefix(b"Exif\0\0")
    order = _ORDERS.get(tiff[:4])
    if order is None:
        return Exif()
    big = order == "big"
    found = _Directory(tiff, int.from_bytes(tiff[4:8], "big" if big else "little"), big=big)
    orientation = found.short(ORIENTATION)
    known = range(1, 9)
    return Exif(
        orientation if orientation in known else 1,
        found.text(ARTIST),
        found.text(COPYRIGHT),
        _density(found),
        _is_adobe(found),
    )


def _density(found: _Directory) -> tuple[float, float] | None:
    unit = _UNITS.get(found.short(_DENSITY_UNIT) or 2)
    x, y = found.ratio(_X_DENSITY), found.ratio(_Y_DENSITY)
    if unit is None or x is None or y is None:
        return None
    return float(x * unit), float(y * unit)


def _is_adobe(found: _Directory) -> bool:
    picture = found.inner(_PICTURE)
    space = picture.short(_COLOUR_SPACE)
    index = picture.inner(_INTEROPERABILITY).text(_INDEX)
    return space == _ADOBE or (space != _SRGB and index == "R03")


class _Directory:
    """A directory as tag → (type, count, the entry's four value bytes)."""

    def __init__(self, tiff: bytes, start: int, *, big: bool) -> None:
        self.tiff = tiff
        self.big = big
        self.entries: dict[int, tuple[int, int, bytes]] = {}
        count = min(self._number(tiff[start : start + 2]), MAX_ENTRIES)
        for at in range(start + 2, start + 2 + 12 * count, 12):
            entry = tiff[at : at + 12]
            if len(entry) < 12:  # noqa: PLR2004  # a directory entry's length
                break
            head = (self._number(entry[2:4]), self._number(entry[4:8]), entry[8:])
            self.entries.setdefault(self._number(entry[:2]), head)

    def inner(self, tag: int) -> _Directory:
        """The directory that an entry names; one beyond the end is empty."""
        kind, count, value = self.entries.get(tag, (0, 0, b""))
        start = self._number(value) if kind == _LONG and count else len(self.tiff)
        return _Directory(self.tiff, start, big=self.big)

    def short(self, tag: int) -> int:
        kind, count, value = self.entries.get(tag, (0, 0, b""))
        return self._number(value[:2]) if kind == _SHORT and count else 0

    def ratio(self, tag: int) -> Fraction | None:
        kind, count, value = self.entries.get(tag, (0, 0, b""))
        start = self._number(value)
        parts = self.tiff[start : start + 8]
        if kind != _RATIONAL or not count or not (over := self._number(parts[4:8])):
            return None
        return Fraction(self._number(parts[:4]), over)

    def text(self, tag: int) -> str:
        kind, count, value = self.entries.get(tag, (0, 0, b""))
        if kind not in (_ASCII, _UTF8):
            return ""
        if count > len(value):
            start = self._number(value)
            value = self.tiff[start : start + min(count, MAX_TEXT)]
        # EXIF says ASCII, cameras and people write UTF-8 or Latin-1: bytes pass through unchanged.
        return value[:count].strip(b"\0 ").decode("latin-1")

    def _number(self, raw: bytes) -> int:
        return int.from_bytes(raw, "big" if self.big else "little")
