"""What of a file's metadata reaches the output: an allow-list, rebuilt from parsed values.

Kept: colour profile, density, copyright, artist, PNG's colour space chunks; and of EXIF what is
asked for (``GROUPS``). Nothing else is copied, so no thumbnail, maker's note or second picture can
come along.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from PIL.Image import Exif as ExifBlock

from photoward.core.imaging import colour
from photoward.core.imaging.colour import Colour
from photoward.core.imaging.formats import exif

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_FIRST, _EXIF, _GPS = 0, 0x8769, 0x8825
"""EXIF's directories: the first, the picture's own, the position's."""

GROUPS: dict[str, dict[int, frozenset[int]]] = {
    "date": {
        _FIRST: frozenset({0x0132}),
        _EXIF: frozenset({0x9003, 0x9004, 0x9010, 0x9011, 0x9012, 0x9290, 0x9291, 0x9292}),
    },
    "camera": {
        _FIRST: frozenset({0x010F, 0x0110}),
        _EXIF: frozenset({
            0x829A, 0x829D, 0x8822, 0x8827, 0x9201, 0x9202, 0x9204, 0x9207, 0x9209, 0x920A,
            0xA405, 0xA431, 0xA432, 0xA433, 0xA434, 0xA435,
        }),
    },
    "position": {_GPS: frozenset({*range(8), 16, 17, 18, 29})},
}  # fmt: skip
"""What may be asked for → directory → tags (EXIF 3.0): time; maker, model, lens, their serial
numbers and how the picture was taken; latitude, longitude, altitude, direction, time."""

MAX_TEXT = 1024
"""Bytes of a text or of other data in a field."""

_X_DENSITY, _Y_DENSITY, _DENSITY_UNIT, _INCH = 0x011A, 0x011B, 0x0128, 2


@dataclass(frozen=True)
class Kept:
    """Metadata that survives."""

    colour: Colour = field(default_factory=Colour)
    dpi: tuple[float, float] | None = None
    artist: bytes = b""
    copyright: bytes = b""
    original: bytes = b""
    """The file's own EXIF, read again only when something of it is asked for."""

    def exif(self, *, density: bool, groups: Collection[str] = ()) -> bytes:
        """An EXIF block with what is kept and those ``groups``, empty if nothing is."""
        block = ExifBlock()
        for group in groups:
            _put(_group(self.original, GROUPS[group]), block)
        if self.artist:
            block[exif.ARTIST] = self.artist
        if self.copyright:
            block[exif.COPYRIGHT] = self.copyright
        if density and self.dpi:
            block[_X_DENSITY], block[_Y_DENSITY] = self.dpi
            block[_DENSITY_UNIT] = _INCH
        return block.tobytes() if len(block) else b""


def read(
    data: bytes, form: str, mode: str, info: Mapping[Any, Any], notes: list[str]
) -> Kept:  # fmt: skip
    """Choose from what the file says.

    Args:
        data: the file.
        form: its format.
        mode: the decoded picture's.
        info: Pillow's ``Image.info``.
        notes: a sentence is added for what had to be left out.
    """
    original = data if form == "tiff" else info.get("exif") or b""
    found = exif.parse(original)
    return Kept(
        colour.read(data, form, mode, info, notes, adobe=found.adobe_rgb),
        _density(info.get("dpi")),
        found.artist.encode("latin-1"), found.copyright.encode("latin-1"), original,
    )  # fmt: skip


def _group(original: bytes, wanted: Mapping[int, Collection[int]]) -> dict[int, dict[int, Any]]:
    """What there is of a group, if it can be read and written again; else nothing."""
    kept: dict[int, dict[int, Any]] = {}
    try:
        parsed = ExifBlock()
        parsed.load(original)
        for directory, tags in wanted.items():
            values = dict(parsed) if directory == _FIRST else parsed.get_ifd(directory)
            kept[directory] = {
                tag: value for tag, value in values.items() if tag in tags and _short(value)
            }
        _put(kept, ExifBlock()).tobytes()
    except Exception:  # noqa: BLE001  # parsers fail with about anything on a hostile block
        return {}
    return kept


def _put(values: Mapping[int, Mapping[int, Any]], block: ExifBlock) -> ExifBlock:
    for directory, tags in values.items():
        if tags:
            (block if directory == _FIRST else block.get_ifd(directory)).update(tags)
    return block


def _short(value: Any) -> bool:  # noqa: ANN401  # whatever the file said
    parts = value if isinstance(value, tuple) else (value,)
    return len(parts) <= MAX_TEXT and not any(
        isinstance(part, str | bytes) and len(part) > MAX_TEXT for part in parts
    )


def _density(dpi: Any) -> tuple[float, float] | None:  # noqa: ANN401  # whatever the file said
    try:
        x, y = float(dpi[0]), float(dpi[1])
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        return None
    highest = 65535  # of JFIF
    sane = all(math.isfinite(value) and 1 <= value <= highest for value in (x, y))
    return (x, y) if sane else None
