"""Class-wise convolutions: CUDA (Sadasivan, Soltanolkotabi, Feizi, CVPR 2023, arXiv 2303.04278).

A secret and a label give a small filter; every picture of the label is convolved with it. Weights
are uniform in [0, p_b] but for one, at a random position, which is 1. The filter is the same for
red, green and blue, beyond the edges is black, and the result is divided by its own maximum; here
it is then multiplied by the picture's, so that a dark picture stays dark (where something is
white, as the paper has it, that is no difference).

No network is asked. The change is not bounded by ε: PSNR and SSIM tell of it. What is returned
is filtered − picture *on the working grid*, clipped to ±127, which the largest changes at hard
edges lose by. A picture of the grid's own size is filtered as in the paper; of a larger photo only
the coarse part of the convolution reaches the file: its own detail beyond the grid stays as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch.nn import functional

from photoward.models.methods.base import Brief, Method

if TYPE_CHECKING:
    from collections.abc import Sequence

THUMBNAIL = 32
"""Grids up to this side get the paper's filter for CIFAR, larger ones its filter for photos."""

SPAN = 9 / 224
"""Side of the paper's filter for photos (k = 9 at 224 px) as a share of the picture's side."""

MASS = (9**2 - 1) * 0.06 / 2
"""What that filter's weights beside the 1 add up to on average (p_b = 0.06): 2.4."""

POSITION_BYTES = 2


def shape(grid: int) -> tuple[int, float]:
    """Side k and bound p_b of the filters for a working grid.

    CIFAR: the paper's 3 and 0.3. Photos: the odd k that spans the same share of the picture as 9
    does of 224, and p_b such that the weights beside the 1 add up to as much on average: at 64 px
    3 and 0.6, at 128 px 5 and 0.2, at 224 px the paper's 9 and 0.06.
    """
    if grid <= THUMBNAIL:
        return 3, 0.3
    k = max(3, 2 * round((SPAN * grid - 1) / 2) + 1)
    return k, 2 * MASS / (k * k - 1)


class CUDA(Method):
    """A secret blur of the label's own; any label will do."""

    name: ClassVar[str] = "cuda"
    version: ClassVar[str] = "cuda-1"
    bounded: ClassVar[bool] = False

    def stream_bytes(self) -> int:
        """None: nothing is the picture's own."""
        return 0

    def label_bytes(self) -> int:
        """A position and the weights of the largest filter, a byte each."""
        return POSITION_BYTES + shape(2 * self.surrogate.card.size)[0] ** 2

    def _propose(
        self, pictures: torch.Tensor, epsilon: torch.Tensor, briefs: Sequence[Brief]
    ) -> torch.Tensor:
        del epsilon
        k, most = shape(pictures.shape[-1])
        weights = filters([brief.label_stream for brief in briefs], k, most).to(pictures.device)
        filtered = convolve(pictures, weights)
        top, reached = (x.amax((1, 2, 3), keepdim=True) for x in (pictures, filtered))
        return filtered * (top / reached.clamp(min=torch.finfo().tiny)) - pictures


def filters(streams: Sequence[np.ndarray], k: int, most: float) -> torch.Tensor:
    """Filters ``[N, k, k]`` from labels' bytes; weights up to ``most``, and a single 1.

    Raises:
        ValueError: a stream is too short.
    """
    if any(len(stream) < POSITION_BYTES + k * k for stream in streams):
        message = "a label's byte stream is shorter than the method's label_bytes"
        raise ValueError(message)
    drawn = np.stack([stream[: POSITION_BYTES + k * k] for stream in streams])
    weights = drawn[:, POSITION_BYTES:].astype(np.float32) * np.float32(most / 255)
    positions = drawn[:, :POSITION_BYTES].copy().view("<u2")[:, 0].astype(int) * k * k >> 16
    weights[np.arange(len(weights)), positions] = 1
    return torch.from_numpy(weights).reshape(-1, k, k)


def convolve(pictures: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Each picture ``[N, C, G, G]`` with its filter ``[N, k, k]``, zeros beyond the edges.

    As a sum of shifted pictures in one order: a convolution's order of summation depends on the
    batch and the device, and a last bit may become a step of the file.
    """
    grid, k = pictures.shape[-1], weights.shape[-1]
    padded = functional.pad(pictures, (k // 2,) * 4)
    total = torch.zeros_like(pictures)
    for row in range(k):
        for column in range(k):
            part = padded[:, :, row : row + grid, column : column + grid]
            total += part * weights[:, row, column, None, None, None]
    return total
