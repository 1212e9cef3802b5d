"""What every architecture is: pooled features, and a linear head that makes logits of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    import torch


class Classifier(nn.Module, ABC):
    """Logits from normalised pictures; ``features`` gives the pooled vector before the head."""

    head: nn.Linear

    @abstractmethod
    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Pooled features ``[N, D]`` of normalised pictures ``[N, 3, H, W]``."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits ``[N, classes]`` of normalised pictures."""
        logits: torch.Tensor = self.head(self.features(x))
        return logits
