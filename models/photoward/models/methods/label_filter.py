"""Class-wise convolutions: CUDA (Sadasivan, Soltanolkotabi, Feizi, CVPR 2023, arXiv 2303.04278).

A secret and a label give a small filter; every picture of the label is convolved with it. One of
its weights, at a random position, is 1, the others lie in [0, p_b]. Four things are not the
paper's, and make the change both smaller and harder to learn around (decision 12):

- the other weights are 0 or p_b by the toss of a coin. Uniform ones, as published, make most
  filters much alike; a coin puts them as far apart as they can be at the same blur;
- red, green and blue have filters of their own, a grey picture has their mean;
- a filter adds up to 1, so brightness and colours stay on average (the paper divides the result by
  its maximum);
- the picture goes on beyond its edges as it ends there (the paper has black, and so a dark frame).

No network is asked. The change is not bounded by ε: PSNR and SSIM tell of it. What is returned
is filtered − picture *on the working grid*, clipped to ±127. Of a larger photo only the coarse part
of the convolution reaches the file: its own detail beyond the grid stays as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch.nn import functional

from photoward.models.methods.base import Brief, Method

if TYPE_CHECKING:
    from collections.abc import Sequence

    from photoward.models.perceptual_budget import Budget

CHANNELS = 3

SPAN = 9 / 224
"""Side of the paper's filter for photos (k = 9 at 224 px) as a share of the picture's side."""

MASS = (9**2 - 1) * 0.06 / 2
"""What that filter's weights beside the 1 add up to on average (p_b = 0.06): 2.4."""

LEAST = 5
"""Side of the smallest filter: around one of 3 an adversarial trainer learns (decision 12)."""

WIDE = 7
"""The same for those to whom protection is worth another decibel: an adversarial trainer within
8/255 does not notice noise on top of it, only width holds it up (decision 12)."""

POSITION_BYTES = 2

HEADS = 128
"""Bytes from here on are one side of the coin."""


def shape(grid: int, least: int = LEAST) -> tuple[int, float]:
    """Side k and bound p_b of the filters for a working grid.

    The odd k, at least ``least``, that spans the same share of the picture as 9 does of 224, and
    p_b such that the weights beside the 1 add up to as much on average: up to 149 px 5 and 0.2, at
    224 px the paper's 9 and 0.06.
    """
    k = max(least, 2 * round((SPAN * grid - 1) / 2) + 1)
    return k, 2 * MASS / (k * k - 1)


class LabelFilter(Method):
    """A secret blur of the label's own, of at least the spec's side; any label will do."""

    bounded: ClassVar[bool] = False

    def stream_bytes(self, grid: int) -> int:
        """None: nothing is the picture's own."""
        del grid
        return 0

    def label_bytes(self, grid: int) -> int:
        """For each channel a position and the weights of its filter, a byte each."""
        return CHANNELS * (POSITION_BYTES + shape(grid, self.spec.filter_side)[0] ** 2)

    def _propose(self, limits: Budget, briefs: Sequence[Brief]) -> torch.Tensor:
        pictures = limits.pictures
        k, most = shape(pictures.shape[-1], self.spec.filter_side)
        weights = filters([brief.label_stream for brief in briefs], k, most)
        grey = torch.tensor([brief.grey for brief in briefs]).reshape(-1, 1, 1, 1)
        weights = torch.where(grey, weights.mean(1, keepdim=True), weights)
        return convolve(pictures, weights.to(pictures.device)) - pictures


def filters(streams: Sequence[np.ndarray], k: int, most: float) -> torch.Tensor:
    """Filters ``[N, 3, k, k]`` from labels' bytes.

    Their weights are 0 or ``most`` and a single 1, over their sum.

    Raises:
        ValueError: a stream is too short.
    """
    each = POSITION_BYTES + k * k
    if any(len(stream) < CHANNELS * each for stream in streams):
        message = "a label's byte stream is shorter than the method's label_bytes"
        raise ValueError(message)
    drawn = np.concatenate([stream[: CHANNELS * each] for stream in streams]).reshape(-1, each)
    weights = (drawn[:, POSITION_BYTES:] >= HEADS) * np.float32(most)
    positions = drawn[:, :POSITION_BYTES].copy().view("<u2")[:, 0].astype(int) * k * k >> 16
    weights[np.arange(len(weights)), positions] = 1
    weights /= weights.sum(1, keepdims=True)
    return torch.from_numpy(weights).reshape(-1, CHANNELS, k, k)


def convolve(pictures: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Each picture ``[N, C, G, G]`` with its filters ``[N, C or 1, k, k]``, edges repeated.

    As a sum of shifted pictures in one order: a convolution's order of summation depends on the
    batch and the device, and a last bit may become a step of the file.
    """
    grid, k = pictures.shape[-1], weights.shape[-1]
    padded = functional.pad(pictures, (k // 2,) * 4, mode="replicate")
    total = torch.zeros_like(pictures)
    for row in range(k):
        for column in range(k):
            part = padded[:, :, row : row + grid, column : column + grid]
            total += part * weights[:, :, row, column, None, None]
    return total
