"""SSIM as encoders measure it: 8x8 windows at a stride of 4 on luma, from sums of 4x4 blocks.

The windows of x264 and FFmpeg's ``ssim`` filter (no Gaussian weights, unbiased variances) with the
constants of Wang, Bovik, Sheikh, Simoncelli: Image quality assessment, IEEE TIP 13(4), 2004.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Sums = NDArray[np.float64]

BLOCK = 4
WINDOW = 8
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_ONES = np.ones(BLOCK, dtype=np.float32)


class Similarity:
    """Takes two pictures band by band (rows in multiples of ``BLOCK``), gives their mean SSIM.

    Rows and columns beyond the last whole block do not count; a picture with a side below
    ``WINDOW`` is one window.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._whole = min(size) < WINDOW
        self._sums = np.zeros(4)
        self._pixels = 0
        self._last: Sums | None = None
        self._total = 0.0
        self._windows = 0

    def add(self, before: NDArray[np.uint8], after: NDArray[np.uint8]) -> None:
        """The next rows of both."""
        if self._whole:
            a, b = before.astype(np.float64), after.astype(np.float64)
            self._sums += (a.sum(), b.sum(), (a * a + b * b).sum(), (a * b).sum())
            self._pixels += before.size
            return
        blocks = _block_sums(before, after)
        if self._last is not None:
            blocks = np.concatenate([self._last, blocks], axis=1)
        self._last = blocks[:, -1:]
        pairs = blocks[:, :-1] + blocks[:, 1:]
        scores = _score(pairs[:, :, :-1] + pairs[:, :, 1:], WINDOW**2)
        self._total += float(scores.sum())
        self._windows += scores.size

    def skip(self) -> None:
        """Rows are left out here: no window reaches over the gap."""
        self._last = None

    def mean(self) -> float:
        """Over all windows, -1 to 1; 1 means equal."""
        if self._whole:
            return float(_score(self._sums, self._pixels))
        return self._total / self._windows


def _block_sums(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> Sums:
    """Σa, Σb, Σ(a² + b²), Σab of each block as ``[4, block rows, block columns]``."""
    height, width = (side // BLOCK * BLOCK for side in before.shape)
    a = before[:height, :width].astype(np.float32)
    b = after[:height, :width].astype(np.float32)
    return np.stack([_blocks(plane) for plane in (a, b, a * a + b * b, a * b)])


def _blocks(plane: NDArray[np.float32]) -> Sums:
    # Exact: sixteen squares of 255, twice, stay below 2**24.
    height, width = plane.shape
    columns = plane.reshape(height // BLOCK, BLOCK, width).sum(axis=1)
    sums: NDArray[np.float32] = columns.reshape(-1, BLOCK) @ _ONES
    return sums.reshape(height // BLOCK, width // BLOCK).astype(np.float64)


def _score(sums: Sums, pixels: int) -> Sums:
    a, b, squares, product = sums / pixels
    unbiased = pixels / max(pixels - 1, 1)
    variances = (squares - a * a - b * b) * unbiased
    covariance = (product - a * b) * unbiased
    score: Sums = (2 * a * b + _C1) * (2 * covariance + _C2)
    score /= (a * a + b * b + _C1) * (variances + _C2)
    return score
