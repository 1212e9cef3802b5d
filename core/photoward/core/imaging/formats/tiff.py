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
_SUBFILE, _EXTRA, _SAMPLE_FORMAT, _SUB_DIRECTORIES = 254, 338, 339, 330
_MAKE_OF_RAW: Final = {50706, 46275}
"""Tags that only raw photos have: DNG's version, and a maker's."""
_RAW_COMPRESSIONS: Final = {34713, 32767, 32769, 32770, 34892, 65000, 65535}
_RAW_SAMPLES: Final = {32803, 34892}
"""Photometric interpretations: a sensor's filters, or linear light."""
_MOST_SUB_DIRECTORIES = 16
_MODES: dict[int, Mode] = {0: "grey", 1: "grey", 2: "rgb", 3: "palette", 6: "rgb"}
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 13: 4}
"""Bytes of a byte, a character, a short, a long, a directory's offset."""
_FLOAT, _SIGNED = 3, 2


class _Directory:
    """A directory's entries, read where they lie."""

    def __init__(self, order: Callable[[int, int], int], start: int) -> None:
        count = order(start, 2)
        if not 0 < count <= exif.MAX_ENTRIES:
            raise corrupt("The TIFF has no directory.")
        self._order = order
        self.found = {order(at, 2): at for at in range(start + 2, start + 2 + 12 * count, 12)}
        self.after = start + 2 + 12 * count

    def values(self, tag: int, most: int = 1) -> list[int]:
        """The first numbers of an entry; none if it is not there or not of whole numbers."""
        if tag not in self.found:
            return []
        at = self.found[tag]
        kind, many = self._order(at + 2, 2), self._order(at + 4, 4)
        size = _SIZES.get(kind, 0)
        place = at + 8 if size * many <= 4 else self._order(at + 8, 4)  # noqa: PLR2004  # in place
        return [self._order(place + size * n, size) for n in range(min(many, most)) if size]

    def value(self, tag: int, default: int = 0) -> int:
        """The first number of an entry."""
        return next(iter(self.values(tag)), default)

    @property
    def is_raw(self) -> bool:
        """What only raw photos have."""
        return bool(
            _MAKE_OF_RAW & self.found.keys()
            or self.value(_COMPRESSION) in _RAW_COMPRESSIONS
            or self.value(_PHOTOMETRIC) in _RAW_SAMPLES
        )


def read(window: Window, limits: Limits) -> Header:
    """The directory may lie anywhere; libtiff turns the picture, so the size is the turned one."""
    order: Callable[[int, int], int] = (
        window.little if window.take(0, 2) == b"II" else window.number
    )
    first = _Directory(order, order(4, 4))
    _refuse_raw(window, order, first)
    width, height = first.value(_WIDTH), first.value(_HEIGHT)
    turned = first.value(exif.ORIENTATION, 1)
    width, height = displayed(width, height, turned if turned in range(1, 9) else 1)
    limits.check(width, height)
    if order(first.after, 4):
        raise BadInput("unsupported_pages", "The TIFF has several pages.")
    bits = first.value(_BITS, 1)
    if bits > 8 or first.value(_SAMPLE_FORMAT, 1) in (_SIGNED, _FLOAT):  # noqa: PLR2004  # bits a channel
        raise BadInput("unsupported_bit_depth", f"The TIFF has {bits} bits per channel.")
    mode = _MODES.get(first.value(_PHOTOMETRIC, 1))
    if mode is None:
        raise BadInput("unsupported_colour_mode", "The TIFF is neither RGB, greyscale nor palette.")
    alpha = _EXTRA in first.found
    return Header("image/tiff", width, height, mode, bits, alpha, lossless=True)


def _refuse_raw(window: Window, order: Callable[[int, int], int], first: _Directory) -> None:
    """Raw photos, and files whose first picture is but a small copy of what lies deeper."""
    inner = first.values(_SUB_DIRECTORIES, _MOST_SUB_DIRECTORIES)
    if (
        window.take(8, 2) == b"CR"
        or first.is_raw
        or any(_Directory(order, start).is_raw for start in inner)
    ):
        raise BadInput("unsupported_type", "The file is a raw photo.")
    if inner and first.value(_SUBFILE) & 1:
        raise BadInput(
            "unsupported_pages", "The first page of the TIFF is a thumbnail of another page."
        )
