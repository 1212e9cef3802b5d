"""WebP: a RIFF file with one VP8, VP8L or VP8X chunk first (RFC 9649)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from photoward.core.imaging.formats import exif
from photoward.core.imaging.formats.window import MAX_STEPS, Window, corrupt
from photoward.core.imaging.header import Header, Limits, displayed

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIRST = 20
"""Offset of the first chunk's data."""
_FRAME = 16
"""Bytes of a frame's own header."""
_ANIMATED, _EXIF, _ALPHA = 0x02, 0x08, 0x10


def read(window: Window, limits: Limits) -> Header:
    """An extended file with EXIF is known only when that chunk, often the last, is there."""
    kind = window.take(12, 4)
    if kind == b"VP8 ":
        width, height = _lossy(window)
        limits.check(width, height)
        return Header("image/webp", width, height, "rgb", 8)
    if kind == b"VP8L":
        width, height, alpha = _lossless(window)
        limits.check(width, height)
        return Header("image/webp", width, height, "rgb", 8, alpha, lossless=True)
    if kind == b"VP8X":
        return _extended(window, limits)
    raise corrupt("The WebP does not begin with a picture.")


def announced(window: Window) -> int:
    """The file's length in bytes by its own words."""
    return window.little(4, 4) + 8


def _lossy(window: Window) -> tuple[int, int]:
    if window.number(_FIRST, 1) & 1 or window.take(_FIRST + 3, 3) != b"\x9d\x01\x2a":
        raise corrupt("The WebP does not begin with a key frame.")
    return window.little(_FIRST + 6, 2) & 0x3FFF, window.little(_FIRST + 8, 2) & 0x3FFF


def _lossless(window: Window) -> tuple[int, int, bool]:
    word = window.little(_FIRST + 1, 4)
    if window.number(_FIRST, 1) != 0x2F:  # noqa: PLR2004  # VP8L's signature
        raise corrupt("The WebP's lossless picture has no signature.")
    return (word & 0x3FFF) + 1, (word >> 14 & 0x3FFF) + 1, bool(word >> 28 & 1)


def _extended(window: Window, limits: Limits) -> Header:
    flags = window.number(_FIRST, 1)
    width, height = window.little(_FIRST + 4, 3) + 1, window.little(_FIRST + 7, 3) + 1
    limits.check(width, height)
    animated = bool(flags & _ANIMATED)
    lossless: bool | None = None
    orientation = None if flags & _EXIF else 1
    for kind, at, length in _chunks(window):
        if kind in (b"VP8 ", b"VP8L", b"ANMF") and lossless is None:
            lossless = _of_frame(window, at) if kind == b"ANMF" else kind == b"VP8L"
        elif kind == b"EXIF" and orientation is None:
            orientation = exif.parse(window.take(at, length)).orientation
        if lossless is not None and orientation is not None:
            break
    if lossless is None:
        raise corrupt("The WebP has no picture.")
    orientation = orientation or 1
    width, height = displayed(width, height, orientation)
    alpha = bool(flags & _ALPHA)
    return Header(
        "image/webp",
        width,
        height,
        "rgb",
        8,
        alpha,
        orientation,
        lossless=lossless,
        animated=animated,
    )


def _of_frame(window: Window, at: int) -> bool:
    """Whether a frame is lossless; before a lossy picture its opacity may come."""
    return window.take(at + _FRAME, 4) == b"VP8L"


def _chunks(window: Window) -> Iterator[tuple[bytes, int, int]]:
    """Type, offset and length of each chunk's data, to the announced end of the file."""
    at = 12
    end = announced(window)
    for _ in range(MAX_STEPS):
        if at + 8 > end:
            return
        length = window.little(at + 4, 4)
        yield window.take(at, 4), at + 8, length
        at += 8 + length + length % 2
    raise corrupt("The WebP has too many chunks.")
