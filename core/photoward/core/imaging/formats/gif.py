"""GIF: the screen and what comes before the first picture (GIF89a, sections 17 to 23)."""

from __future__ import annotations

from photoward.core.imaging.formats.window import MAX_STEPS, Window, corrupt
from photoward.core.imaging.header import Header, Limits

_EXTENSION, _PICTURE = 0x21, 0x2C
_SCREEN = 13
"""Bytes of the screen's description."""
_CONTROL = 0xF9


def read(window: Window, limits: Limits) -> Header:
    """Whether a second picture follows is seen when the first is decoded."""
    width, height = window.little(6, 2), window.little(8, 2)
    limits.check(width, height)
    flags = window.number(10, 1)
    at = _SCREEN + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    alpha, inside = False, False
    for _ in range(MAX_STEPS):
        kind = window.number(at, 1)
        if inside:  # a block of an extension: its length; the last has none
            inside = bool(kind)
            at += 1 + kind
        elif kind == _EXTENSION:
            if window.number(at + 1, 1) == _CONTROL:
                alpha = bool(window.number(at + 3, 1) & 1)
            at, inside = at + 2, True
        elif kind == _PICTURE:
            return Header("image/gif", width, height, "palette", 8, alpha, lossless=True)
        else:
            raise corrupt("The GIF has no picture.")
    raise corrupt("The GIF has too many blocks before its picture.")
