"""JPEG: segments up to the start of the scan (ITU-T T.81, annex B)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from photoward.core.errors import BadInput
from photoward.core.imaging.formats import exif
from photoward.core.imaging.formats.window import MAX_STEPS, Window, corrupt
from photoward.core.imaging.header import Header, Limits, Mode, displayed

if TYPE_CHECKING:
    from collections.abc import Iterator

_MARKER = re.compile(rb"\xff[^\0\xff]")
_TEMPORARY, _IMAGE_END, _SCAN, _APP1 = 0x01, 0xD9, 0xDA, 0xE1
_RESTARTS_AND_START = range(0xD0, 0xD9)
_FRAMES = {0xC0, 0xC1, 0xC2}
"""Baseline, extended sequential, progressive; all with Huffman coding."""
_OTHER_FRAMES = {0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)}
_MODES: dict[int, Mode] = {1: "grey", 3: "rgb", 4: "cmyk"}


def read(window: Window, limits: Limits) -> Header:
    """Orientation and size are complete when the first scan starts."""
    turned = 0
    size: tuple[int, int] | None = None
    mode: Mode = "rgb"
    for marker, at, length in _segments(window):
        if marker == _SCAN:
            if size is None:
                raise corrupt("The JPEG's scan comes before its frame header.")
            width, height = displayed(*size, turned or 1)
            return Header("image/jpeg", width, height, mode, 8, orientation=turned or 1)
        if marker in _OTHER_FRAMES:
            raise BadInput("unsupported_type", "This is a lossless or arithmetic-coded JPEG.")
        if marker in _FRAMES and size is None:
            size, mode = _frame(window, at, limits)
        if marker == _APP1 and not turned and window.take(at, min(6, length)) == b"Exif\0\0":
            turned = exif.parse(window.take(at, length)).orientation
    raise corrupt("The JPEG has too many segments before its picture.")


def _segments(window: Window) -> Iterator[tuple[int, int, int]]:
    """Marker, offset and length of each segment's body."""
    at = 2
    for _ in range(MAX_STEPS):
        at = window.find(_MARKER, at)  # what lies between segments is skipped, as by decoders
        marker = window.number(at + 1, 1)
        if marker == _TEMPORARY or marker in _RESTARTS_AND_START:
            at += 2
        elif marker == _IMAGE_END:
            raise corrupt("The JPEG ends before its picture.")
        else:
            length = window.number(at + 2, 2)
            if length < 2:  # noqa: PLR2004  # it counts itself
                raise corrupt("A segment of the JPEG has an impossible length.")
            yield marker, at + 4, length - 2
            at += 2 + length


def _frame(window: Window, at: int, limits: Limits) -> tuple[tuple[int, int], Mode]:
    bits, height, width = (window.number(at, 1), window.number(at + 1, 2), window.number(at + 3, 2))
    components = window.number(at + 5, 1)
    limits.check(width, height)
    if bits != 8:  # noqa: PLR2004  # bits a sample
        raise BadInput("unsupported_bit_depth", f"The JPEG has {bits} bits per channel.")
    if components not in _MODES:
        raise BadInput("unsupported_colour_mode", f"The JPEG has {components} channels.")
    return (width, height), _MODES[components]
