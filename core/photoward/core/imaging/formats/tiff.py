"""TIFF with one page: its first directory (TIFF 6.0, section 2).

Raw photos of many cameras are TIFFs, too: they are told by what their first directory says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from photoward.core.errors import BadInput
from photoward.core.imaging.formats import exif
from photoward.core.imaging.formats.window import Window, corrupt
from photoward.core.imaging.header import Header, Limits, Mode, displayed

if TYPE_CHECKING:
    from collections.abc import Callable

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_EXTRA, _SAMPLE_FORMAT, _SUB_DIRECTORIES = 338, 339, 330
_MAKE_OF_RAW: Final = {50706, 50341, 46275}
"""Tags that only raw photos have: DNG's version, and two makers'."""
_RAW_COMPRESSIONS: Final = {34713, 32767, 32769, 32770, 34892, 65000}
_MODES: dict[int, Mode] = {0: "grey", 1: "grey", 2: "rgb", 3: "palette", 6: "rgb"}
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4}
"""Bytes of a byte, a character, a short, a long."""
_FLOAT, _SIGNED = 3, 2


def read(window: Window, limits: Limits) -> Header:
    """The directory may lie anywhere; libtiff turns the picture, so the size is the turned one."""
    order: Callable[[int, int], int] = (
        window.little if window.take(0, 2) == b"II" else window.number
    )
    start = order(4, 4)
    count = order(start, 2)
    if not 0 < count <= exif.MAX_ENTRIES:
        raise corrupt("The TIFF has no directory.")
    if window.take(8, 2) == b"CR":
        raise _raw()
    found = {order(at, 2): at for at in range(start + 2, start + 2 + 12 * count, 12)}

    def value(tag: int, default: int = 0) -> int:
        """The first number of an entry."""
        if tag not in found:
            return default
        at = found[tag]
        kind, many = order(at + 2, 2), order(at + 4, 4)
        size = _SIZES.get(kind, 0)
        if not size or not many:
            return default
        place = at + 8 if size * many <= 4 else order(at + 8, 4)  # noqa: PLR2004  # in place
        return order(place, size)

    _refuse_raw(found, value)
    width, height = value(_WIDTH), value(_HEIGHT)
    turned = value(exif.ORIENTATION, 1)
    width, height = displayed(width, height, turned if turned in range(1, 9) else 1)
    limits.check(width, height)
    if order(start + 2 + 12 * count, 4):
        raise BadInput("unsupported_pages", "This TIFF has several pages.")
    bits = value(_BITS, 1)
    if bits > 8 or value(_SAMPLE_FORMAT, 1) in (_SIGNED, _FLOAT):  # noqa: PLR2004  # bits a channel
        raise BadInput("unsupported_bit_depth", f"The TIFF has {bits} bits a channel.")
    mode = _MODES.get(value(_PHOTOMETRIC, 1))
    if mode is None:
        raise BadInput("unsupported_colour_mode", "The TIFF is not of RGB, grey or palette.")
    alpha = _EXTRA in found
    return Header("image/tiff", width, height, mode, bits, alpha, lossless=True)


def _refuse_raw(found: dict[int, int], value: Callable[[int], int]) -> None:
    compressed = value(_COMPRESSION) in _RAW_COMPRESSIONS
    if compressed or _MAKE_OF_RAW & found.keys() or _SUB_DIRECTORIES in found:
        raise _raw()


def _raw() -> BadInput:
    return BadInput("unsupported_type", "This is a raw photo.")
