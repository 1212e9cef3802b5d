"""MobileNetV2 for small pictures (Sandler et al., CVPR 2018), any width.

The first two of the paper's five halvings are left out, as is usual at 32 px; torchvision's and
timm's have all five, so this one is written by hand.
"""

from __future__ import annotations

import torch
from torch import nn

from photoward.models.surrogates.architectures.base import Classifier

PAPER_WIDTH = 32
LEAST = 16
"""Channels: below that, torch 2.15's CPU gradients crash at odd batch sizes (as in ResNet-18)."""

STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 1),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, channels, blocks, stride of the first: the paper's table 2."""

LAST = 1280


class Inverted(nn.Module):
    """Expand, filter each channel for itself, project; with a shortcut where shapes agree."""

    def __init__(self, channels_in: int, channels: int, expansion: int, stride: int) -> None:
        super().__init__()
        inner = channels_in * expansion
        expand = _layer(channels_in, inner, 1) if expansion > 1 else nn.Identity()
        self.layers = nn.Sequential(
            expand,
            _layer(inner, inner, 3, stride=stride, groups=inner),
            nn.Conv2d(inner, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.shortcut = stride == 1 and channels_in == channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Feature maps from feature maps."""
        y: torch.Tensor = self.layers(x)
        return x + y if self.shortcut else y


class MobileNetV2(Classifier):
    """Logits from normalised pictures; ``features`` gives the pooled vector before the head.

    Args:
        classes: length of the logit vector.
        width: channels of the stem; 32 is the paper's network, others scale all channels.
    """

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        channels = _scaled(PAPER_WIDTH, width)
        blocks: list[nn.Module] = [_layer(3, channels, 3)]
        for expansion, wanted, count, stride in STAGES:
            for number in range(count):
                following = _scaled(wanted, width)
                blocks.append(Inverted(channels, following, expansion, 1 if number else stride))
                channels = following
        last = _scaled(LAST, width)
        self.stages = nn.Sequential(*blocks, _layer(channels, last, 1))
        self.head = nn.Linear(last, classes)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Pooled features ``[N, 40·width]`` of normalised pictures ``[N, 3, H, W]``."""
        pooled: torch.Tensor = self.stages(x).mean(dim=(2, 3))
        return pooled


def _layer(
    channels_in: int, channels: int, kernel: int, *, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU6(),
    )


def _scaled(channels: int, width: int) -> int:
    return max(LEAST, channels * width // PAPER_WIDTH // 8 * 8)
