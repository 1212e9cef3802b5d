"""What a person sees of the change, with both pictures fitted to a screen side by side.

Judges the whole picture, shrunk to ``SIDE`` pixels as a browser does: noise that is coarse shows
there, as clouds in what is flat, and neither PSNR nor a crop at 100 % tells of it. All is computed
on means of 2 x 2 of those pixels, which lose nothing that these figures look at.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from photoward.core.imaging import bands
from photoward.core.imaging.metrics import cielab, flip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Plane = NDArray[np.float32]

SIDE = 1200
"""Pixels of the longer side of a picture on a screen; what is smaller is shown as it is."""

EDGE_FLIP, EDGE_DELTA_E = 0.05, 2.0
"""FLIP's mean, and CIEDE2000 where the picture is flat, at the edge of being seen side by side."""

FLAT = 1 / 3
"""Share of the picture that counts as flat."""

CLOUDS = 24
"""Cycles per picture below which a change looks like a cloud."""

BLUR, BLOCK, PLACE = 1.5, 8, 64
"""Pixels on the screen: standard deviation of the blur before colours are compared; sides of the
blocks that are flat or not, and of the places of which the worst is told."""

_LIGHT = cielab.linear(np.arange(4 * 255 + 1) / (4 * 255))
_JPEG = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
) * np.float32(1 / 4)
"""Sums of four sRGB samples to Y, Cb, Cr."""


@dataclass(frozen=True)
class Seen:
    """How visible a change is; the figures of one pair of pictures."""

    flip: float
    """FLIP's mean, 0 to 1."""
    flat_delta_e: float
    """95th percentile of CIEDE2000 in the flattest third, after a blur of ``BLUR``."""
    low_chroma: float | None
    """Share of the chroma's change (its energy) below ``CLOUDS``; None: it did not change."""
    low_luma: float | None
    worst: dict[str, float]
    """In the worst place of ``PLACE`` pixels: mean ``flip``; mean ``delta_e`` of what is flat
    there; ``chroma`` and ``luma``: r.m.s. of the change below ``CLOUDS``, in 8-bit steps."""

    @property
    def visibility(self) -> float:
        """How many times as far as the edge of being seen: 1 is just seen side by side.

        The larger of two distances: over the whole picture (``EDGE_FLIP``), and as a tint where
        the picture is flat (``EDGE_DELTA_E``).
        """
        return max(self.flip / EDGE_FLIP, self.flat_delta_e / EDGE_DELTA_E)

    def report(self) -> dict[str, Any]:
        """``visibility``, and as ``seen`` what it and the presets are made of; for JSON."""
        shares = {"low_chroma": self.low_chroma, "low_luma": self.low_luma}
        return {
            "visibility": round(self.visibility, 2),
            "seen": {
                "flip": round(self.flip, 4),
                "flat_delta_e": round(self.flat_delta_e, 3),
                **{name: None if one is None else round(one, 3) for name, one in shares.items()},
                "worst": {name: round(one, 3) for name, one in self.worst.items()},
            },
        }


def seen(before: Image.Image, after: Image.Image) -> Seen:
    """Compare two pictures of one size, of any mode; what is transparent lies over white."""
    pair = [_halved(fitted(image)) for image in (before, after)]
    error = flip.error(*(_mixed(cielab.TO_XYZ, _LIGHT[sums]) for sums in pair))
    pictures = [sums.astype(np.float32) for sums in pair]
    flat = _flat(pictures[0])
    tint = np.zeros(flat.shape, np.float32)
    tint[flat] = cielab.delta_e(*(_blurred(picture, flat) for picture in pictures))
    shares, low = _low(_mixed(_JPEG, pictures[1] - pictures[0]))
    squares = low**2
    return Seen(
        flip=float(error.mean()),
        flat_delta_e=float(np.percentile(tint[flat], 95)),
        low_chroma=shares[1],
        low_luma=shares[0],
        worst={
            "flip": float(_places(error).max()),
            "delta_e": _worst_tint(tint, flat),
            "chroma": math.sqrt(_places(squares[1] + squares[2]).max()),
            "luma": math.sqrt(_places(squares[0]).max()),
        },
    )


def fitted(image: Image.Image) -> Image.Image:
    """In RGB, as a browser shows it on a screen of ``SIDE`` pixels."""
    scale = min(1.0, SIDE / max(image.size))
    if scale < 1:
        size = [max(1, round(side * scale)) for side in image.size]
        image = image.resize((size[0], size[1]), Image.Resampling.BILINEAR, reducing_gap=1.0)
    if bands.has_alpha(image):
        ground = Image.new("RGBA", image.size, (255,) * 4)
        image = Image.alpha_composite(ground, image.convert("RGBA"))
    return image.convert("RGB")


def _halved(image: Image.Image) -> NDArray[np.uint16]:
    """Sums of 2 x 2 pixels, ``[3, H, W]``; a last odd row or column counts twice."""
    pixels = np.asarray(image)
    height, width = pixels.shape[:2]
    if height % 2 or width % 2:
        pixels = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    rows = np.add(pixels[::2], pixels[1::2], dtype=np.uint16)
    return np.ascontiguousarray((rows[:, ::2] + rows[:, 1::2]).transpose(2, 0, 1))


def _mixed(matrix: Plane, planes: Plane) -> Plane:
    """Three colours of three."""
    mixed: Plane = matrix @ planes.reshape(3, -1)
    return mixed.reshape(planes.shape)


def _flat(picture: Plane) -> NDArray[np.bool_]:
    """The third of the blocks with the least spread, and what has as little as the last of them."""
    luma = np.tensordot(_JPEG[0], picture, axes=1)
    sums, squares, counts = (_cells(one, BLOCK // 2) for one in (luma, luma**2, luma * 0 + 1))
    spread = squares / counts - (sums / counts) ** 2
    flat = spread <= np.quantile(spread, FLAT) + 1e-4  # float's own grain
    rows, columns = (_whose(side, BLOCK // 2) for side in luma.shape)
    chosen: NDArray[np.bool_] = flat[rows][:, columns]
    return chosen


def _blurred(picture: Plane, where: NDArray[np.bool_]) -> Plane:
    """L*a*b* ``[3, N]`` of the blurred picture where it is asked for."""
    deviation = math.sqrt((BLUR / 2) ** 2 - flip.HALVED)
    sums = np.stack([flip.blurred(plane, deviation)[where] for plane in picture])
    return cielab.lab(_mixed(cielab.TO_XYZ, _LIGHT[np.rint(sums).astype(np.uint16)]))


def _low(change: Plane) -> tuple[list[float | None], Plane]:
    """Of Y and of Cb and Cr together the share below ``CLOUDS``; and that part, ``[3, H, W]``."""
    height, width = change.shape[1:]
    down, across = _cosines(height), _cosines(width)
    parts = down @ change @ across.T
    cycles = np.hypot(np.arange(len(down))[:, None], np.arange(len(across))) / 2
    parts[:, cycles >= CLOUDS] = 0
    low, whole = (np.einsum("cij,cij->c", one, one) for one in (parts, change))
    changed = whole > 1e-6 * height * width  # float's own grain is no change
    shares = [
        float(low[of].sum() / whole[of].sum()) if changed[of].any() else None
        for of in (slice(1), slice(1, 3))
    ]
    slow: Plane = np.matmul(down.T @ parts, across, dtype=np.float32)
    return shares, slow


def _cosines(side: int) -> Plane:
    """The slow rows of the orthonormal DCT-II: of 0, ½, 1 … cycles, to below ``CLOUDS``."""
    numbers = np.arange(min(2 * CLOUDS, side))
    rows = np.cos(np.pi / side * numbers[:, None] * (np.arange(side) + 0.5)) * math.sqrt(2 / side)
    rows[0] /= math.sqrt(2)
    return rows.astype(np.float32)


def _worst_tint(tint: Plane, flat: NDArray[np.bool_]) -> float:
    """The largest mean tint of a place of which a quarter or more is flat."""
    shares = _places(flat.astype(np.float32))
    means = _places(tint) / np.maximum(shares, 1e-6)
    enough = shares >= min(0.25, float(shares.max()))
    return float(means[enough].max())


def _places(plane: Plane) -> Plane:
    """Means of places of about ``PLACE`` pixels, which together are the whole picture."""
    means: Plane = _cells(plane, PLACE // 2) / _cells(np.ones_like(plane), PLACE // 2)
    return means


def _cells(plane: Plane, side: int) -> Plane:
    rows, columns = (_starts(length, side) for length in plane.shape)
    sums: Plane = np.add.reduceat(np.add.reduceat(plane, rows, axis=0), columns, axis=1)
    return sums


def _starts(length: int, side: int) -> NDArray[np.int64]:
    """Where cells of about this side begin."""
    cells = max(1, round(length / side))
    return np.arange(cells) * length // cells


def _whose(length: int, side: int) -> NDArray[np.int64]:
    """The cell of each row or column."""
    starts = _starts(length, side)
    return np.searchsorted(starts, np.arange(length), side="right") - 1
