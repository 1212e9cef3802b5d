"""ICC profiles as bytes: made of primaries and a curve, recast between grey and colour, mended.

Knows the layout of ICC.1:2010 (version 4.3) as far as these need it, and no file around a profile.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageCms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

LARGEST = 255 * 65_519
"""Bytes: what the segments of a JPEG can hold."""

_HEADER, _ENTRY, _MOST_TAGS = 128, 12, 256
_SPACES = {"L": {b"GRAY", b"RGB "}, "LA": {b"GRAY", b"RGB "}, "CMYK": {b"CMYK"}}
_D50 = (0.9642, 1.0, 0.8249)
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)

Pair = tuple[float, float]


@dataclass(frozen=True)
class Primaries:
    """Chromaticities (CIE 1931 x, y)."""

    red: Pair
    green: Pair
    blue: Pair
    white: Pair = (0.3127, 0.3290)

    def adapted(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The columns red, green, blue in XYZ under D50, and the matrix that brought them there.

        Raises:
            ValueError: they span no colours.
        """
        try:
            white = _xyz(self.white)
            columns = np.stack([_xyz(one) for one in (self.red, self.green, self.blue)], axis=1)
            scaled = columns * np.linalg.solve(columns, white)
        except (ZeroDivisionError, np.linalg.LinAlgError):
            raise ValueError(self) from None
        cones = _BRADFORD @ np.array(_D50) / (_BRADFORD @ white)
        adaptation = np.linalg.solve(_BRADFORD, cones[:, None] * _BRADFORD)
        adapted = adaptation @ scaled
        most = 32_000  # of s15Fixed16Number
        if not (np.isfinite(adapted).all() and abs(adapted).max() < most):
            raise ValueError(self)
        return adapted, adaptation


def curve(gamma: float, *parts: float) -> bytes:
    """A ``para`` element: Y = X^gamma; with a, b, c, d: (aX + b)^gamma from d on, below it cX."""
    kind = 3 if parts else 0
    numbers = b"".join(map(_fixed, (gamma, *parts)))
    return b"para" + bytes(4) + kind.to_bytes(2, "big") + bytes(2) + numbers


def made(name: str, trc: bytes, primaries: Primaries | None) -> bytes:
    """A display profile.

    Args:
        name: how it calls itself.
        trc: the element with the curve of every channel.
        primaries: None: it is of grey.

    Raises:
        ValueError: the primaries span no colours.
    """
    tags = {
        b"desc": _text(name),
        b"cprt": _text("CC0"),
        b"wtpt": b"XYZ " + bytes(4) + b"".join(map(_fixed, _D50)),
    }
    if primaries is None:
        return _file(b"GRAY", tags | {b"kTRC": trc})
    columns, adaptation = primaries.adapted()
    tags[b"chad"] = b"sf32" + bytes(4) + b"".join(map(_fixed, adaptation.ravel()))
    for letter, column in zip(b"rgb", columns.T, strict=True):
        tags[bytes([letter]) + b"XYZ"] = b"XYZ " + bytes(4) + b"".join(map(_fixed, column))
        tags[bytes([letter]) + b"TRC"] = trc
    return _file(b"RGB ", tags)


def recast(icc: bytes, primaries: Primaries | None) -> bytes:
    """The same greys as a profile of colour, or (``primaries`` None) of grey.

    Raises:
        ValueError: they do not come from one curve.
    """
    wanted = {b"GRAY": (b"kTRC",), b"RGB ": (b"rTRC", b"gTRC", b"bTRC")}.get(icc[16:20], ())
    found = _elements(icc)
    curves = {found.get(tag, b"") for tag in wanted}
    if len(curves) != 1 or b"" in curves or b"A2B0" in found:
        raise ValueError(icc[16:20])
    return made("Greys of the original's profile", curves.pop(), primaries)


def is_of(icc: bytes, mode: str) -> bool:
    """Whether it looks like a profile (ICC.1, section 7.2) that a picture's mode may have."""
    spaces = _SPACES.get(mode, {b"RGB "})
    return len(icc) <= LARGEST and icc[36:40] == b"acsp" and icc[16:20] in spaces


def mended(icc: bytes) -> bytes:
    """A profile whose length field says how long it is, and which LittleCMS opens; b"" if none.

    One that was right about its length stays as it is.
    """
    declared = int.from_bytes(icc[:4], "big")
    if declared == len(icc):
        return icc
    need = max((at + size for at, size in _table(icc).values()), default=0)
    wanted = max(need, min(declared, len(icc)))
    if wanted > len(icc):
        return b""
    cut = wanted.to_bytes(4, "big") + icc[4:wanted]
    return cut if _opens(cut) else b""


def _opens(icc: bytes) -> bool:
    mode = {b"GRAY": "L", b"CMYK": "CMYK"}.get(icc[16:20], "RGB")
    try:
        opened = ImageCms.getOpenProfile(io.BytesIO(icc))
        ImageCms.applyTransform(
            Image.new(mode, (1, 1)),
            ImageCms.buildTransform(opened, ImageCms.createProfile("sRGB"), mode, "RGB"),
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return False
    return True


def _table(icc: bytes) -> dict[bytes, tuple[int, int]]:
    """Tag → offset and length of its element."""
    count = min(int.from_bytes(icc[_HEADER : _HEADER + 4], "big"), _MOST_TAGS)
    entries = icc[_HEADER + 4 : _HEADER + 4 + _ENTRY * count]
    whole = len(entries) // _ENTRY * _ENTRY
    return {tag: (at, size) for tag, at, size in struct.iter_unpack(">4sII", entries[:whole])}


def _elements(icc: bytes) -> dict[bytes, bytes]:
    return {tag: icc[at : at + size] for tag, (at, size) in _table(icc).items()}


def _file(space: bytes, tags: Mapping[bytes, bytes]) -> bytes:
    """Header, table and elements; equal elements are written once."""
    body, places = bytearray(), dict[bytes, int]()
    start = _HEADER + 4 + _ENTRY * len(tags)
    table = bytearray(len(tags).to_bytes(4, "big"))
    for tag, element in tags.items():
        if element not in places:
            places[element] = start + len(body)
            body += element.ljust(-(-len(element) // 4) * 4, b"\0")
        table += tag + struct.pack(">II", places[element], len(element))
    header = (
        struct.pack(
            ">II4s4s4s4s6H4s",
            start + len(body),
            0,
            b"\x04\x30\0\0",
            b"mntr",
            space,
            b"XYZ ",
            2000,
            1,
            1,
            0,
            0,
            0,
            b"acsp",
        )
        + bytes(28)
        + b"".join(map(_fixed, _D50))
    )
    return header.ljust(_HEADER, b"\0") + bytes(table) + bytes(body)


def _text(words: str) -> bytes:
    coded = words.encode("utf-16-be")
    return b"mluc" + bytes(4) + struct.pack(">II4sII", 1, 12, b"enUS", len(coded), 28) + coded


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65_536))


def _xyz(chromaticity: Pair) -> NDArray[np.float64]:
    x, y = chromaticity
    return np.array([x / y, 1.0, (1 - x - y) / y])
