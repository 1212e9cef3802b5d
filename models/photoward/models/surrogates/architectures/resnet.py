"""ResNet-18 for small pictures (He et al., CVPR 2016; 3×3 stem without pooling), any width.

Written by hand: torchvision's has no width, stem stride or inner channels to choose, and ``fused``
and ``training.sparsity`` rely on the names of its parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from photoward.models.surrogates.architectures.base import Classifier

if TYPE_CHECKING:
    from collections.abc import Sequence


class Block(nn.Module):
    """Two 3×3 convolutions with a shortcut (the paper's basic block)."""

    def __init__(self, channels_in: int, inner: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, inner, 3, stride, padding=1, bias=False)
        self.bn1: nn.Module = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, channels, 3, 1, padding=1, bias=False)
        self.bn2: nn.Module = nn.BatchNorm2d(channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Feature maps from feature maps."""
        y = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet18(Classifier):
    """Logits from normalised pictures; ``features`` gives the pooled vector before the head.

    Args:
        classes: length of the logit vector.
        width: channels of the first stage; the stages have width × (1, 2, 4, 8) channels. Train
            with 16 or more: below that, torch 2.15's CPU gradients crash at odd batch sizes.
        inner: channels between the two convolutions of each of the eight blocks; none given: as
            many as its stage has.
        stride: of the stem, whose filters grow with it; with 3 it makes of 96 px what it makes of
            32 px with 1, so that larger pictures cost the stages no more.
    """

    def __init__(
        self, classes: int, width: int, inner: Sequence[int] = (), stride: int = 1
    ) -> None:
        super().__init__()
        self.width, self.stride = width, stride
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 3 * stride, stride, padding=stride, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        channels = [width, width, 2 * width, 4 * width, 8 * width]
        inner = list(inner) or [stage for stage in channels[1:] for _ in range(2)]
        self.inner = inner
        self.stages = nn.Sequential(
            *(
                nn.Sequential(
                    Block(channels[i], inner[2 * i], channels[i + 1], 1 if i == 0 else 2),
                    Block(channels[i + 1], inner[2 * i + 1], channels[i + 1], 1),
                )
                for i in range(4)
            )
        )
        self.head = nn.Linear(8 * width, classes)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Pooled features ``[N, 8·width]`` of normalised pictures ``[N, 3, H, W]``."""
        pooled: torch.Tensor = self.stages(self.stem(x)).mean(dim=(2, 3))
        return pooled
