"""How much a set of pictures was changed, as its viewers would measure it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from photoward.core.imaging.metrics.similarity import Similarity
from photoward.models.pixels import LEVELS, LUMA_WEIGHTS

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray


def likeness(clean: torch.Tensor, protected: torch.Tensor) -> dict[str, float | None]:
    """Figures over two sets ``[N, 3, S, S]`` of 8-bit samples, at the size that victims see.

    Returns:
        ``psnr_db`` of all samples together (None when nothing changed), ``ssim`` as the mean over
        pictures, and ``linf``, the largest change in 8-bit steps.
    """
    before, after = clean.numpy(), protected.numpy()
    squares, largest, ssim = 0, 0, 0.0
    for old, new in zip(before, after, strict=True):
        change = new.astype(np.int64) - old
        squares += int((change * change).sum())
        largest = max(largest, int(np.abs(change).max()))
        similarity = Similarity((old.shape[2], old.shape[1]))
        similarity.add(_luma(old), _luma(new))
        ssim += similarity.mean()
    psnr = round(10 * math.log10(LEVELS**2 * before.size / squares), 2) if squares else None
    return {"psnr_db": psnr, "ssim": round(ssim / len(before), 4), "linf": largest}


def _luma(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    brightness: NDArray[np.float64] = np.tensordot(LUMA_WEIGHTS, picture, 1)
    return np.rint(brightness).astype(np.uint8)
