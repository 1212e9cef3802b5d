"""Random numbers of a batch, each picture's from its own byte stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from photoward.models.methods.base import Brief

WORD_BYTES = 4
"""Bytes of one uniform number; jitter takes one byte a sample."""


class Stream:
    """Consumes the pictures' byte streams side by side."""

    def __init__(self, briefs: Sequence[Brief], device: torch.device) -> None:
        self._bytes = np.stack([brief.stream for brief in briefs])
        self._position = 0
        self._device = device

    def uniform(self, count: int) -> torch.Tensor:
        """``[N, count]`` numbers in [0, 1) of 24 bits each."""
        words = self._take(count * WORD_BYTES).view("<u4")
        numbers = (words >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)
        return torch.from_numpy(numbers).to(self._device)

    def symmetric(self, shape: Sequence[int]) -> torch.Tensor:
        """``[N, *shape]`` numbers uniform in (-1, 1), of 256 levels."""
        raw = self._take(int(np.prod(list(shape))))
        numbers = torch.from_numpy(raw).to(self._device, torch.float32)
        return numbers.add_(0.5).div_(128).sub_(1).reshape(-1, *shape)

    def _take(self, count: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
        part = self._bytes[:, self._position : self._position + count]
        if part.shape[1] != count:
            message = "a picture's byte stream is shorter than the method's stream_bytes"
            raise ValueError(message)
        self._position += count
        return np.ascontiguousarray(part)
