"""PNG: chunks up to the first IDAT (PNG specification, third edition)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from photoward.core.errors import BadInput
from photoward.core.imaging.formats import exif
from photoward.core.imaging.formats.window import MAX_STEPS, Window, corrupt
from photoward.core.imaging.header import CodePoints, Header, Limits, Mode, displayed

if TYPE_CHECKING:
    from collections.abc import Iterator

_COLOURS: dict[int, tuple[Mode, bool, set[int]]] = {
    0: ("grey", False, {1, 2, 4, 8, 16}),
    2: ("rgb", False, {8, 16}),
    3: ("palette", False, {1, 2, 4, 8}),
    4: ("grey", True, {8, 16}),
    6: ("rgb", True, {8, 16}),
}
"""Colour type → mode, alpha channel, allowed bit depths."""


def read(window: Window, limits: Limits) -> Header:
    """Transparency, orientation and animation are announced before the first IDAT."""
    if window.take(8, 8) != b"\0\0\0\x0dIHDR":
        raise corrupt("The PNG does not begin with its header.")
    width, height = window.number(16, 4), window.number(20, 4)
    limits.check(width, height)
    mode, alpha, bits = _colour(window.number(24, 1), window.number(25, 1))
    orientation, animated = 1, False
    for kind, at, length in _chunks(window):
        if kind in (b"IDAT", b"IEND"):
            width, height = displayed(width, height, orientation)
            return Header(
                "image/png",
                width,
                height,
                mode,
                bits,
                alpha,
                orientation,
                lossless=True,
                animated=animated,
            )
        if kind == b"tRNS":
            alpha = True
        elif kind == b"acTL":
            animated = window.number(at, 4) > 1
        elif kind == b"eXIf":
            orientation = exif.parse(window.take(at, length)).orientation
    raise corrupt("The PNG has too many chunks before its picture.")


def code_points(window: Window) -> CodePoints | None:
    """The colour space of a PNG that was read, if it tells one by numbers (cICP)."""
    for kind, at, length in _chunks(window):
        if kind == b"cICP" and length == 4:  # noqa: PLR2004  # primaries, transfer, matrix, range
            primaries, transfer, matrix, full = window.take(at, 4)
            return None if matrix else CodePoints(primaries, transfer, bool(full))
        if kind == b"IDAT":
            break
    return None


def _chunks(window: Window) -> Iterator[tuple[bytes, int, int]]:
    """Type, offset and length of each chunk's data after IHDR."""
    at = 33
    for _ in range(MAX_STEPS):
        length, kind = window.number(at, 4), window.take(at + 4, 4)
        if length >= 1 << 31 or not kind.isalpha():
            raise corrupt("The PNG has an impossible chunk.")
        yield kind, at + 8, length
        at += 12 + length


def _colour(bits: int, colour: int) -> tuple[Mode, bool, int]:
    mode, alpha, depths = _COLOURS.get(colour, ("rgb", False, set[int]()))
    if bits not in depths:
        raise corrupt(f"The PNG has an impossible colour type, {colour} with {bits} bits.")
    if bits > 8:  # noqa: PLR2004  # bits a channel
        raise BadInput("unsupported_bit_depth", f"The PNG has {bits} bits per channel.")
    return mode, alpha, bits
