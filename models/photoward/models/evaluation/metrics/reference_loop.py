"""The noise loop as it was published, to measure ours against: its work, done its way.

Written from the description of SEM (Liu et al., AAAI 2024, table 1 and §5.1): K·J passes in
float32, batch norm as trained, pictures augmented one by one in a Python loop. Knows nothing of
what makes ours faster, on purpose; never used to protect anything.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from photoward.models import views
from photoward.models.pixels import budget, project

HALF = 0.5


@dataclass(frozen=True)
class ReferenceLoop:
    """Noise for one batch, towards class labels.

    Args:
        network: in evaluation mode, its parameters frozen; takes pictures in [-1, 1].
        pictures: ``[N, 3, S, S]`` in [0, 1], channels first in memory.
        labels: ``[N]`` class numbers.
        generator: of a CPU; all that is random comes from it.
    """

    network: nn.Module
    pictures: torch.Tensor
    labels: torch.Tensor
    generator: torch.Generator
    steps: int = 10
    samples: int = 5
    epsilon: float = 8.0
    """ρu, like the other radii in 1/255."""
    step_size: float = 1.6
    radius: float = 4.0
    """ρa."""

    @property
    def passes(self) -> int:
        """How often the network is run, forward and backward, for each picture."""
        return self.steps * self.samples

    def noise(self) -> torch.Tensor:
        """δ ``[N, 3, S, S]`` after all steps."""
        delta = self._uniform() * budget(self.epsilon)
        for _ in range(self.steps):
            total = torch.zeros_like(delta)
            for _ in range(self.samples):
                total += self.gradient(delta)
            delta = delta - budget(self.step_size) * total.sign()
            delta = project(delta, self.pictures, budget(self.epsilon))
        return delta

    def gradient(self, delta: torch.Tensor) -> torch.Tensor:
        """One of the K·J passes: the gradient of δ under one augmentation of each picture."""
        delta = delta.detach().requires_grad_()
        seen = torch.stack([self._augmented(one) for one in self.pictures + delta])
        seen = (seen + self._uniform() * budget(self.radius)).clamp(0, 1)
        loss = functional.cross_entropy(self.network(seen * 2 - 1), self.labels)
        return torch.autograd.grad(loss, delta)[0]

    def _augmented(self, picture: torch.Tensor) -> torch.Tensor:
        """A pad-4 random crop and a random flip of one picture."""
        side, pad = picture.shape[-1], views.PAD
        padded = functional.pad(picture, [pad] * 4)
        top, left = torch.randint(0, 2 * pad + 1, (2,), generator=self.generator).tolist()
        crop = padded[:, top : top + side, left : left + side]
        mirrored = torch.rand((), generator=self.generator).item() < HALF
        return crop.flip(2) if mirrored else crop

    def _uniform(self) -> torch.Tensor:
        drawn = torch.rand(self.pictures.shape, generator=self.generator) * 2 - 1
        return drawn.to(self.pictures.device)
