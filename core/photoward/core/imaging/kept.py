"""What of a file's metadata reaches the output: an allow-list, rebuilt from parsed values.

Kept: colour profile, density, copyright, artist, PNG's colour space chunks. Nothing else is
copied, so no thumbnail, position, serial number or second picture can come along.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL.Image import Exif as ExifBlock
from PIL.PngImagePlugin import PngInfo

from photoward.core.imaging.formats import exif

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_ICC = 1 << 20
_X_DENSITY, _Y_DENSITY, _DENSITY_UNIT, _INCH = 0x011A, 0x011B, 0x0128, 2


@dataclass(frozen=True)
class Kept:
    """Metadata that survives."""

    icc: bytes = b""
    dpi: tuple[float, float] | None = None
    artist: bytes = b""
    copyright: bytes = b""
    colour_space: tuple[tuple[bytes, bytes], ...] = ()
    """PNG chunks."""

    def exif(self, *, density: bool) -> bytes:
        """An EXIF block with what is kept, empty if nothing is."""
        block = ExifBlock()
        if self.artist:
            block[exif.ARTIST] = self.artist
        if self.copyright:
            block[exif.COPYRIGHT] = self.copyright
        if density and self.dpi:
            block[_X_DENSITY], block[_Y_DENSITY] = self.dpi
            block[_DENSITY_UNIT] = _INCH
        return block.tobytes() if len(block) else b""

    def png_info(self, xmp: bytes = b"") -> PngInfo:
        """Chunks for a PNG: the packet, and the colour space where no profile says it better."""
        info = PngInfo()
        if xmp:
            info.add_itxt("XML:com.adobe.xmp", xmp.decode())
        for kind, data in () if self.icc else self.colour_space:
            info.add(kind, data)
        return info


def read(info: Mapping[Any, Any], mode: str, notes: list[str]) -> Kept:
    """Choose from what the decoder found.

    Args:
        info: Pillow's ``Image.info``.
        mode: the decoded picture's mode; a colour profile of another colour space is left out.
        notes: a sentence is added for what had to be left out.
    """
    icc = info.get("icc_profile") or b""
    if icc and not _usable(icc, mode):
        notes.append("An unusable colour profile was left out.")
        icc = b""
    found = exif.parse(info.get("exif") or b"")
    return Kept(
        icc, _density(info.get("dpi")),
        found.artist.encode("latin-1"), found.copyright.encode("latin-1"), _colour_space(info),
    )  # fmt: skip


def _usable(icc: bytes, mode: str) -> bool:
    """The profile header of ICC.1, section 7.2: length, colour space, signature."""
    space = {"L": b"GRAY", "LA": b"GRAY", "CMYK": b"CMYK"}.get(mode, b"RGB ")
    length = int.from_bytes(icc[:4], "big")
    return length == len(icc) <= MAX_ICC and icc[16:20] == space and icc[36:40] == b"acsp"


def _density(dpi: Any) -> tuple[float, float] | None:  # noqa: ANN401  # whatever the file said
    try:
        x, y = float(dpi[0]), float(dpi[1])
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        return None
    highest = 65535  # of JFIF
    sane = all(math.isfinite(value) and 1 <= value <= highest for value in (x, y))
    return (x, y) if sane else None


def _colour_space(info: Mapping[Any, Any]) -> tuple[tuple[bytes, bytes], ...]:
    chunks = []
    if "srgb" in info:
        chunks.append((b"sRGB", bytes([info["srgb"] & 3])))
    if "gamma" in info:
        chunks.append((b"gAMA", _fixed(info["gamma"])))
    if "chromaticity" in info:
        chunks.append((b"cHRM", b"".join(map(_fixed, info["chromaticity"]))))
    return tuple(chunks)


def _fixed(value: float) -> bytes:
    return round(value * 100_000).to_bytes(4, "big")
