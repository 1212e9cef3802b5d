"""VGG-11 for small pictures (Simonyan and Zisserman, ICLR 2015), with batch norm, any width.

Written by hand: torchvision's has no width to choose and three dense layers made for 224 px.
"""

from __future__ import annotations

import torch
from torch import nn

from photoward.models.surrogates.architectures.base import Classifier

PLAN: tuple[int | None, ...] = (1, None, 2, None, 4, 4, None, 8, 8, None, 8, 8)
"""Column A of the paper's table 1 in multiples of the width; None halves the sides. Its fifth
halving gives way to a mean over what is left, so that any size from 16 px goes in."""


class VGG11(Classifier):
    """Logits from normalised pictures; ``features`` gives the pooled vector before the head.

    Args:
        classes: length of the logit vector.
        width: channels of the first convolution; the paper's is 64.
    """

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for factor in PLAN:
            if factor is None:
                layers.append(nn.MaxPool2d(2))
                continue
            layers += [
                nn.Conv2d(channels, factor * width, 3, padding=1, bias=False),
                nn.BatchNorm2d(factor * width),
                nn.ReLU(),
            ]
            channels = factor * width
        self.stages = nn.Sequential(*layers)
        self.head = nn.Linear(channels, classes)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Pooled features ``[N, 8·width]`` of normalised pictures ``[N, 3, H, W]``."""
        pooled: torch.Tensor = self.stages(x).mean(dim=(2, 3))
        return pooled
