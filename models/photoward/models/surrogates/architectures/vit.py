"""A small vision transformer (Dosovitskiy et al., ICLR 2021), any width and picture size.

Made for little data, after Beyer, Zhai, Kolesnikov: Better plain ViT baselines (2022): fixed
sine-cosine positions and a mean over the patches in place of a class token. Written by hand: timm's
learns its positions for one size.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from photoward.models.surrogates.architectures.base import Classifier

PATCH = 4
DEPTH = 6
HEAD_WIDTH = 32
PERIODS = 10_000.0


class ViT(Classifier):
    """Logits from normalised pictures; ``features`` gives the pooled vector before the head.

    Args:
        classes: length of the logit vector.
        width: an eighth of the embedding's length, so that ``features`` are as long as ResNet's.
    """

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        self.length = 8 * width
        self.patches = nn.Conv2d(3, self.length, PATCH, PATCH)
        layer = nn.TransformerEncoderLayer(
            self.length,
            max(1, self.length // HEAD_WIDTH),
            2 * self.length,
            dropout=0.0,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.stages = nn.TransformerEncoder(layer, DEPTH, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(self.length)
        self.head = nn.Linear(self.length, classes)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Pooled features ``[N, 8·width]`` of normalised pictures; sides are multiples of 4."""
        grid = self.patches(x)
        tokens = grid.flatten(2).transpose(1, 2)
        places = positions(grid.shape[2], grid.shape[3], self.length).to(tokens)
        pooled: torch.Tensor = self.norm(self.stages(tokens + places)).mean(dim=1)
        return pooled


def positions(rows: int, columns: int, length: int) -> torch.Tensor:
    """Sines and cosines of a grid's rows and columns ``[rows·columns, length]``."""
    quarter = length // 4
    rates = torch.exp(-math.log(PERIODS) * torch.arange(quarter) / quarter)
    down = torch.arange(rows).repeat_interleave(columns)[:, None] * rates
    right = torch.arange(columns).repeat(rows)[:, None] * rates
    return torch.cat([down.sin(), down.cos(), right.sin(), right.cos()], dim=1)
