"""What of a file's metadata reaches the output: an allow-list, rebuilt from parsed values.

Kept are colour, density, rights, how a panorama is shown; and of EXIF what is asked
for (``GROUPS``). Nothing else is copied, so no thumbnail, maker's note or second picture can
come along.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from PIL.Image import Exif as ExifBlock
from PIL.Image import Image

from photoward.core.imaging.codec import colour_space, rights_metadata
from photoward.core.imaging.codec.colour_space import ColourSpace
from photoward.core.imaging.codec.rights_metadata import RightsMetadata
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
        _EXIF: frozenset(
            {
                0x829A,
                0x829D,
                0x8822,
                0x8827,
                0x9201,
                0x9202,
                0x9204,
                0x9207,
                0x9209,
                0x920A,
                0xA405,
                0xA431,
                0xA432,
                0xA433,
                0xA434,
                0xA435,
            }
        ),
    },
    "position": {_GPS: frozenset({*range(8), 16, 17, 18, 29})},
}
"""What may be asked for → directory → tags (EXIF 3.0): time; maker, model, lens, their serial
numbers and how the picture was taken; latitude, longitude, altitude, direction, time."""

_GAIN_MAP = (
    "The gain map was left out: screens of high dynamic range show the picture as others do."
)
_DEPTH = "The map of depths was left out."
_FILM = "The film within a motion photo was left out."

MAX_TEXT = 1024
"""Bytes of a text or of other data in a field."""

_JPEGS_IPTC, _TIFFS_IPTC = 0x0404, 0x83BB
_X_DENSITY, _Y_DENSITY, _DENSITY_UNIT, _INCH = 0x011A, 0x011B, 0x0128, 2


_MANIFEST = "The manifest of its origin (C2PA) was left out: it does not fit a changed picture."
_LOST = {
    b"jumdc2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71": _MANIFEST,
    b"http://ns.adobe.com/hdr-gain-map/1.0/": _GAIN_MAP,
    b"urn:iso:std:iso:ts:21496:-1": _GAIN_MAP,
    b"urn:com:apple:photo:2020:aux:hdrgainmap": _GAIN_MAP,
    b"urn:mpeg:hevc:2015:auxid:2": _DEPTH,
    b"http://ns.google.com/photos/1.0/depthmap/": _DEPTH,
    b':MotionPhoto="1"': _FILM,
    b':MicroVideo="1"': _FILM,
}
"""What tells of parts that cannot stay → a sentence about it."""


@dataclass(frozen=True)
class Metadata:
    """Metadata that survives."""

    colour: ColourSpace = field(default_factory=ColourSpace)
    dpi: tuple[float, float] | None = None
    rights: RightsMetadata = field(default_factory=RightsMetadata)
    original: bytes = b""
    """The file's own EXIF, read again only when something of it is asked for."""

    def exif(self, claims: RightsMetadata, *, density: bool, groups: Collection[str] = ()) -> bytes:
        """An EXIF block with these claims and groups, empty if nothing is."""
        block = ExifBlock()
        directories = [_put(_group(self.original, GROUPS[group]), block) for group in groups]
        artist, notice = claims.of_exif()
        if artist:
            block[exif.ARTIST] = artist
        if notice:
            block[exif.COPYRIGHT] = notice
        if density and self.dpi:
            block[_X_DENSITY], block[_Y_DENSITY] = self.dpi
            block[_DENSITY_UNIT] = _INCH
        return block.tobytes() if len(block) or any(directories) else b""


def read(data: bytes, form: str, file: Image, mode: str, notes: list[str]) -> Metadata:
    """Choose from what the file says.

    Args:
        data: the file.
        form: its format.
        file: as Pillow opened it.
        mode: the decoded picture's.
        notes: a sentence is added for what had to be left out.
    """
    info = file.info
    original = data if form == "tiff" else info.get("exif") or b""
    found = exif.parse(original)
    notes += [words for mark, words in _LOST.items() if mark in data]
    return Metadata(
        colour_space.read(data, form, mode, info, notes, adobe=found.adobe_rgb),
        _density(info, found.density),
        rights_metadata.read(info, found, _iptc(file), notes),
        original,
    )


def _iptc(file: Image) -> bytes:
    """IPTC's block, where a JPEG or a TIFF keeps it."""
    tags = getattr(file, "tag_v2", None)
    if tags is not None:  # as it lies there: a TIFF may call its bytes numbers
        return bytes(tags._tagdata.get(_TIFFS_IPTC, b""))  # noqa: SLF001  # Pillow's own way, too
    return bytes(file.info.get("photoshop", {}).get(_JPEGS_IPTC, b""))


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
        block = ExifBlock()
        _put(kept, block)
        block.tobytes()
    except Exception:  # noqa: BLE001  # parsers fail with about anything on a hostile block
        return {}
    return kept


def _put(values: Mapping[int, Mapping[int, Any]], block: ExifBlock) -> int:
    """How many tags it were."""
    for directory, tags in values.items():
        if tags:
            (block if directory == _FIRST else block.get_ifd(directory)).update(tags)
    return sum(map(len, values.values()))


def _short(value: Any) -> bool:  # noqa: ANN401  # whatever the file said
    parts = value if isinstance(value, tuple) else (value,)
    return len(parts) <= MAX_TEXT and not any(
        isinstance(part, str | bytes) and len(part) > MAX_TEXT for part in parts
    )


def _density(
    info: Mapping[Any, Any], said: tuple[float, float] | None
) -> tuple[float, float] | None:
    """Dots an inch, by the format's own word or by EXIF; a ratio of sides alone is none."""
    told: list[Any] = [info.get("dpi") if info.get("jfif_unit", 1) else None, said]
    for found in told:
        try:
            x, y = float(found[0]), float(found[1])
        except (TypeError, ValueError, IndexError, ZeroDivisionError):
            continue
        highest = 65535  # of JFIF
        if all(math.isfinite(value) and 1 <= value <= highest for value in (x, y)):
            return x, y
    return None
