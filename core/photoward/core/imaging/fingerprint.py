"""What stays of a picture when it is saved again or shrunk: perceptual hashes and a noise sketch.

All of it follows from the picture on a grid of 256 pixels, as confined children show it; nothing
here opens a file.
"""

from __future__ import annotations

import itertools
import math
import struct
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Thumbnail = NDArray[np.float64]
    Floats = NDArray[np.float64]
    Box = tuple[float, ...]

SIDE = 256
"""Pixels of a thumbnail's sides."""

WHOLE = 0
_CUT = 0.1
_SHIFTS = tuple((x, y) for y in (0.0, _CUT / 2, _CUT) for x in (0.0, _CUT / 2, _CUT))
BOXES: tuple[Box, ...] = (
    (0.0, 0.0, 1.0, 1.0),
    *((x, y, x + 1 - _CUT, y + 1 - _CUT) for x, y in _SHIFTS),
    (0.0, 0.0, 1.0 - _CUT, 1.0),
    (_CUT, 0.0, 1.0, 1.0),
    (0.0, 0.0, 1.0, 1.0 - _CUT),
    (0.0, _CUT, 1.0, 1.0),
)
"""Left, top, right, bottom as shares of the picture: the whole, and what is left of it when a tenth
of its sides is cut off. A picture has a hash of each, so that such crops are found."""

HASH_BITS = 64
_HASHED = 32
"""Pixels of the sides of what is hashed."""
_FLAT = 2.0
"""Standard deviation, in 8-bit steps, up to which a picture is too even to be told from others."""

_SKETCHED = 64
"""Points of the sides of a noise sketch."""
_LEVELS = 7
"""Largest value of a point of a sketch, which is kept in four bits."""
_PER_SIGMA = 2.5
"""Levels for the noise's standard deviation."""

_EDITED = 12.0
"""8-bit steps by which a point of 1/64 of the side differs that was edited: JPEG at quality 30
changes no such mean by as much."""
_LEAST_POINTS = 256
_ROUNDS = 3
_SAME, _MOST_EDITED = 0.95, 0.25
"""Correlation from which on, and edited share up to which, a file shows the same picture."""
_STEPS = (0.03, 0.03, 0.015, 0.015, 0.008, 0.004, 0.002, 0.001)
"""By which the sides of a crop are moved, as shares of the picture, to find what it shows."""
_MOST_ERROR = 0.15
"""Standard error of the noise's share from which on the share is not told."""


def thumbnail(pixels: NDArray[np.uint8]) -> Thumbnail:
    """``[256, 256]`` luma of a picture on a square grid, RGB ``[256, 256, 3]``."""
    luma: Thumbnail = pixels @ np.array([0.299, 0.587, 0.114])
    return luma


def hashes(thumb: Thumbnail) -> tuple[int, ...]:
    """64-bit hash of each of ``BOXES``, in their order; empty when the picture is too even."""
    if thumb.std() <= _FLAT:
        return ()
    return tuple(_hash(_shrunk(thumb, box, _HASHED)) for box in BOXES)


def noise_sketch(before: Thumbnail, after: Thumbnail) -> bytes:
    """The change of brightness in 64 × 64 points: four bytes of scale, then four bits a point."""
    change = _shrunk(after, BOXES[WHOLE], _SKETCHED) - _shrunk(before, BOXES[WHOLE], _SKETCHED)
    scale = max(float(change.std()), 1e-6) / _PER_SIGMA
    levels = np.clip(np.rint(change / scale), -_LEVELS, _LEVELS).astype(np.int8) + 8
    packed = levels.astype(np.uint8).reshape(-1, 2)
    points = (packed[:, 0] << 4 | packed[:, 1]).astype(np.uint8)
    return struct.pack("<f", scale) + points.tobytes()


@dataclass(frozen=True)
class Likeness:
    """A file beside the protected picture that it may be a copy of."""

    correlation: float
    """Pearson's correlation of what was not edited with the protected picture, −1 to 1."""
    edited_share: float
    """Share of the file that was changed by more than saving again does."""
    noise_share: float | None
    """How much of the noise is in the file: 1 all of it, 0 none. None: it cannot be told."""

    @property
    def shows_the_same(self) -> bool:
        """Whether the file shows this picture and no other that looks like it."""
        return self.correlation >= _SAME and self.edited_share <= _MOST_EDITED


def compare(file: Thumbnail, protected: Thumbnail, box: int, sketch: bytes | None) -> Likeness:
    """Compare a file with a protected picture.

    Args:
        file: the file's thumbnail.
        protected: the protected picture's.
        box: index of the one of ``BOXES`` that the file shows, about.
        sketch: of the noise; the share is only told for the whole picture.
    """
    found = _shrunk(file, BOXES[WHOLE], _SKETCHED)
    shown = _aligned(found, protected, box)
    wanted = _shrunk(protected, shown, _SKETCHED)
    share, offset = _fitted(wanted, found)
    for _ in range(_ROUNDS):  # what was edited shall not decide what was
        same = np.abs(found - share * wanted - offset) <= _EDITED
        if same.sum() < _LEAST_POINTS:
            return Likeness(0.0, 1.0, None)
        share, offset = _fitted(wanted[same], found[same])
    noise = None
    if sketch is not None:
        added = _shrunk(_unpacked(sketch), shown, _SKETCHED)
        noise = _noise_share(found[same], wanted[same], added[same])
    correlation = _correlation(found[same], wanted[same])
    return Likeness(round(correlation, 4), round(1 - float(same.mean()), 4), noise)


def _aligned(found: Floats, protected: Thumbnail, box: int) -> Box:
    """The part of the protected picture that is most like a file, near one of ``BOXES``."""
    best = BOXES[box]
    if box == WHOLE:
        return best
    most = _correlation(found, _shrunk(protected, best, _SKETCHED))
    for step in _STEPS:
        for edge, way in itertools.product(range(4), (-step, step)):
            moved = list(best)
            moved[edge] = min(max(moved[edge] + way, 0.0), 1.0)
            likeness = _correlation(found, _shrunk(protected, tuple(moved), _SKETCHED))
            if likeness > most:
                best, most = tuple(moved), likeness
    return best


def _noise_share(found: Floats, protected: Floats, noise: Floats) -> float | None:
    """Least squares of ``found = a · original + c · noise + b``: c/a; None if it is uncertain.

    The original is ``protected − noise``. A copy whose brightness or contrast was changed keeps
    its share.
    """
    known = np.stack([protected - noise, noise, np.ones_like(noise)], axis=1)
    fitted, _, rank, _ = np.linalg.lstsq(known, found, rcond=None)
    scale, amount = map(float, fitted[:2])
    if rank < known.shape[1] or scale <= 0:
        return None
    left = found - known @ fitted
    variance = float(left @ left) / max(found.size - known.shape[1], 1)
    error = math.sqrt(variance * float(np.linalg.inv(known.T @ known)[1, 1])) / scale
    return None if error > _MOST_ERROR else round(min(max(amount / scale, 0.0), 1.0), 3)


def _unpacked(sketch: bytes) -> Floats:
    (scale,) = struct.unpack("<f", sketch[:4])
    packed = np.frombuffer(sketch[4:], np.uint8)
    levels = np.stack([packed >> 4, packed & 15], axis=1).astype(np.float64) - 8
    points: Floats = levels.reshape(_SKETCHED, _SKETCHED) * scale
    return points


def _hash(small: Floats) -> int:
    """Which of the 64 slowest waves of ``[32, 32]`` pixels are above their median (DCT)."""
    waves = _cosines() @ small @ _cosines().T
    values = np.array([waves[y, x] for y, x in _slowest()])
    bits = 0
    for bit in values > np.median(values):
        bits = bits << 1 | int(bit)
    return bits


@cache
def _cosines() -> Floats:
    """The DCT-II's basis, ``[32, 32]``."""
    at = np.arange(_HASHED)
    waves: Floats = np.cos(np.pi / _HASHED * (at[None] + 0.5) * at[:, None])
    return waves


@cache
def _slowest() -> tuple[tuple[int, int], ...]:
    """The 64 lowest frequencies without the mean."""
    every = sorted((y + x, y, x) for y in range(_HASHED) for x in range(_HASHED))
    return tuple((y, x) for _, y, x in every[1 : HASH_BITS + 1])


def _shrunk(thumb: Thumbnail, box: Box, side: int) -> Floats:
    """Means over ``side`` × ``side`` equal parts of a box."""
    left, top, right, bottom = box
    rows, columns = thumb.shape
    found: Floats = (
        _weights(top, bottom, side, rows) @ thumb @ _weights(left, right, side, columns).T
    )
    return found


@lru_cache(4096)
def _weights(start: float, stop: float, side: int, pixels_in_all: int) -> Floats:
    """``[side, pixels]``: what each pixel gives to each of ``side`` equal parts of a stretch."""
    edges = np.linspace(start, stop, side + 1) * pixels_in_all
    pixels = np.arange(pixels_in_all)
    upper = np.minimum(edges[1:, None], pixels + 1)
    lower = np.maximum(edges[:-1, None], pixels)
    overlap = np.clip(upper - lower, 0, None)
    shares: Floats = overlap / overlap.sum(axis=1, keepdims=True)
    return shares


def _fitted(given: NDArray[Any], wanted: NDArray[Any]) -> tuple[float, float]:
    """Slope and offset that make ``given`` most like ``wanted``."""
    spread = float(given.var())
    slope = float(((given - given.mean()) * (wanted - wanted.mean())).mean()) / max(spread, 1e-9)
    return slope, float(wanted.mean() - slope * given.mean())


def _correlation(one: Floats, other: Floats) -> float:
    spread = float(one.std() * other.std())
    both = float(((one - one.mean()) * (other - other.mean())).mean())
    return both / spread if spread > 1e-9 else 0.0  # noqa: PLR2004  # rounding alone
