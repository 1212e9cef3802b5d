"""AVIF and HEIC: boxes of the ISO base media format (ISO/IEC 14496-12, 23008-12).

What is AV1's own is in its image format 1.1, HEVC's configuration in ISO/IEC 14496-15.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from photoward.core.errors import BadInput
from photoward.core.imaging.formats.window import MAX_STEPS, Short, Window, corrupt
from photoward.core.imaging.header import CodePoints, Header, Limits, Mode, displayed

if TYPE_CHECKING:
    from collections.abc import Iterator

Box = tuple[bytes, int, int]
"""Type, offset and length of a box's content."""

MAX_META = 1 << 24
"""Bytes of a ``meta`` box; real ones have some hundred, a grid of tiles some thousand, but a colour
profile lies in it, too."""

_ALPHA = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1")
_ORIENTATIONS = {
    (0, None): 1,
    (1, None): 8,
    (2, None): 3,
    (3, None): 6,
    (0, 0): 4,
    (1, 0): 5,
    (2, 0): 2,
    (3, 0): 7,
    (0, 1): 2,
    (1, 1): 7,
    (2, 1): 4,
    (3, 1): 5,
}
"""(quarter turns against the clock, then mirror axis) → EXIF orientation."""


AVIF, HEIC = {b"avif", b"avis"}, {b"heic", b"heix", b"heim", b"heis"}
"""Brands of what is read."""
_SEQUENCES = {b"avis", b"hevc", b"hevx"}
_HEVC_CHROMA, _HEVC_DEPTH = 16, 17
"""Offsets in HEVC's configuration of the chroma format, and of the bits a sample beyond 8."""


def read(window: Window, limits: Limits) -> Header:
    """Everything is in the ``meta`` box; the primary item's properties count."""
    if window.take(8, 4) in _SEQUENCES or b"avis" in brands(window):
        raise BadInput("unsupported_animation", "The file is a sequence of images.")
    meta = _meta(window)
    try:
        return _header(meta, limits)
    except Short:
        raise corrupt("The file's description is cut off.") from None


def code_points(window: Window) -> CodePoints | None:
    """The colour space of a file that was read, if it tells one by numbers (nclx).

    Without any (23000-22, 7.3.6.4) it is sRGB.
    """
    meta = _meta(window)
    own, every = _properties(meta)
    for kind, at, length in (*own, *every):  # a grid may leave it to its tiles
        if kind == b"colr" and length >= 8 and meta.take(at, 4) == b"nclx":  # noqa: PLR2004  # its three numbers
            return CodePoints(meta.number(at + 4, 2), meta.number(at + 6, 2))
    return None


def _meta(window: Window) -> Window:
    at, length = next(
        ((at, length) for kind, at, length in _boxes(window, 0, None) if kind == b"meta"), (0, 0)
    )
    if not 4 <= length <= MAX_META:  # noqa: PLR2004  # version and flags
        raise corrupt("The file has no usable description of its picture.")
    return Window(window.take(at, length))


def brands(window: Window) -> set[bytes]:
    """The brands that a file of this family gives itself."""
    length = window.number(0, 4)
    if not 16 <= length <= 1024 or length % 4:  # noqa: PLR2004  # at least a major brand and version
        return set()
    box = window.take(8, length - 8)
    return {box[:4], *(box[at : at + 4] for at in range(8, len(box), 4))}


def _boxes(window: Window, at: int, end: int | None) -> Iterator[Box]:
    """Type, offset and length of each box's content between two offsets."""
    for _ in range(MAX_STEPS):
        if end is not None and at + 8 > end:
            return
        length, kind, head = window.number(at, 4), window.take(at + 4, 4), 8
        if length == 1:
            length, head = window.number(at + 8, 8), 16
        if length < head or (end is not None and at + length > end):
            raise corrupt("The file has an impossible box.")
        yield kind, at + head, length - head
        at += length
    raise corrupt("The file has too many boxes.")


def _inside(meta: Window, box: tuple[int, int]) -> Iterator[Box]:
    return _boxes(meta, box[0], sum(box))


def _properties(meta: Window) -> tuple[list[Box], list[Box]]:
    """The primary item's, and all of the file."""
    boxes = _by_kind(meta, (4, len(meta.data) - 4))
    if b"pitm" not in boxes or b"iprp" not in boxes:
        raise corrupt("The file names no primary picture.")
    at = boxes[b"pitm"][0]
    primary = meta.number(at + 4, 4 if meta.number(at, 1) else 2)
    inner = _by_kind(meta, boxes[b"iprp"])
    if b"ipco" not in inner or b"ipma" not in inner:
        raise corrupt("The file's picture has no properties.")
    every = list(_inside(meta, inner[b"ipco"]))
    numbers = _associated(meta, inner[b"ipma"][0], primary)
    return [every[index - 1] for index in numbers if 0 < index <= len(every)], every


def _header(meta: Window, limits: Limits) -> Header:
    properties, every = _properties(meta)
    own = {kind: (at, length) for kind, at, length in properties}
    heic = any(kind == b"hvcC" for kind, _, _ in every)  # its decoder crops and turns the picture
    steps = (1, 2) if heic else (1,)
    width, height, orientation, aperture = _geometry(meta, own, limits, steps)
    mode = _channels(meta, own, every)
    alpha = any(
        kind == b"auxC" and meta.take(at + 4, length - 4).startswith(_ALPHA)
        for kind, at, length in every
        if length >= 4  # noqa: PLR2004  # version and flags
    )
    if heic:
        return Header("image/heic", width, height, mode, 8, alpha)
    return Header("image/avif", width, height, mode, 8, alpha, orientation, aperture=aperture or ())


def _by_kind(meta: Window, box: tuple[int, int]) -> dict[bytes, tuple[int, int]]:
    return {kind: (at, length) for kind, at, length in _inside(meta, box)}


def _associated(meta: Window, at: int, item: int) -> Iterator[int]:
    """Numbers (from 1) of the properties that ``ipma`` gives to an item."""
    id_bytes = 4 if meta.number(at, 1) else 2
    wide = 2 if meta.number(at + 3, 1) & 1 else 1
    entries, at = meta.number(at + 4, 4), at + 8
    for _ in range(entries):  # each step moves on, and Short ends it at the box's last byte
        owner, count = meta.number(at, id_bytes), meta.number(at + id_bytes, 1)
        at += id_bytes + 1
        if owner == item:
            for index in range(count):
                yield meta.number(at + index * wide, wide) & (0x7FFF if wide == 2 else 0x7F)  # noqa: PLR2004  # top bit: essential
            return
        at += count * wide


def _geometry(
    meta: Window, own: dict[bytes, tuple[int, int]], limits: Limits, steps: tuple[int, ...]
) -> tuple[int, int, int, tuple[int, int, int, int] | None]:
    """Displayed width and height, orientation, and what ``Header.aperture`` says."""
    if b"ispe" not in own:
        raise corrupt("The file does not say its size.")
    at = own[b"ispe"][0]
    width, height = whole = meta.number(at + 4, 4), meta.number(at + 8, 4)
    limits.check(width, height)
    aperture = None
    if b"clap" in own:
        (left, width), (top, height) = (
            _cropped(meta, own[b"clap"][0] + at, side, steps)
            for at, side in ((0, width), (8, height))
        )
        aperture = left, top, *whole
    turns = meta.number(own[b"irot"][0], 1) & 3 if b"irot" in own else 0
    axis = meta.number(own[b"imir"][0], 1) & 1 if b"imir" in own else None
    orientation = _ORIENTATIONS[turns, axis]
    return *displayed(width, height, orientation), orientation, aperture


def _cropped(meta: Window, at: int, whole: int, steps: tuple[int, ...]) -> tuple[int, int]:
    """First and count of the pixels of a side that are shown: a length and the middle's shift.

    The first may lie between two if the decoder crops: ``steps`` are the parts of a pixel.
    """
    length, over, shift, under = (meta.number(at + i, 4) for i in (0, 4, 16, 20))
    if not over or not under:
        raise corrupt("The file's crop is no number.")
    shown = Fraction(length, over)
    signed = shift - (1 << 32) if shift >> 31 else shift
    first = (whole - shown) / 2 + Fraction(signed, under)
    if not (first.denominator in steps and shown.denominator == 1):
        raise BadInput("unsupported_type", "The crop of the image is not on whole pixels.")
    if not (0 <= first <= whole - shown and shown):
        raise BadInput("unsupported_type", "The crop of the image exceeds it.")
    return int(first), int(shown)


def _channels(meta: Window, own: dict[bytes, tuple[int, int]], every: list[Box]) -> Mode:
    """Grey or colour; refuses more than 8 bits."""
    # The tiles of a grid carry av1C or hvcC, the grid itself does not: there any of the file's
    # must do.
    kinds = {b"av1C", b"hvcC"}
    configurations = [(kind, own[kind][0]) for kind in kinds & own.keys()] or [
        (kind, at) for kind, at, _ in every if kind in kinds
    ]
    grey, deep = [], []
    for kind, at in configurations:
        if kind == b"av1C":
            flags = meta.number(at + 2, 1)
            grey.append(bool(flags & 0x10))
            deep.append(bool(flags & 0x40))
        else:
            grey.append(not meta.number(at + _HEVC_CHROMA, 1) & 3)
            deep.append(bool(meta.number(at + _HEVC_DEPTH, 1) & 7))
    if any(deep):
        raise BadInput("unsupported_bit_depth", "The photo has more than 8 bits per channel.")
    return "grey" if grey and all(grey) else "rgb"
