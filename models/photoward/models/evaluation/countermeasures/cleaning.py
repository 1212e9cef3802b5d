"""What trained picture cleaners share: how they train, run and go before another trainer.

A cleaner changes the training pictures; test pictures stay as they are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import nn

from photoward.models.pixels import LEVELS

Network = TypeVar("Network", bound=nn.Module)

if TYPE_CHECKING:
    from collections.abc import Callable

    from photoward.models.evaluation.countermeasures.base import Countermeasure
    from photoward.models.evaluation.trainer_run import Scene

    Loss = Callable[[torch.Tensor, int], torch.Tensor]
    """Numbers of pictures ``[B]``, number of the epoch → what is to fall."""

BATCH = 64
LEARNING_RATE = 2e-3
SEED = 0


def then(first: Countermeasure, second: Countermeasure) -> Countermeasure:
    """Clean as ``first`` does, train as ``second`` does."""
    return replace(
        second,
        title=f"{first.title}, then {second.title}",
        source=f"{first.source}; {second.source}",
        parameters={**first.parameters, **second.parameters},
        prepare=lambda scene: second.prepare(first.prepare(scene)),
        needs=first.needs,
        largest_px=first.largest_px,
        family="",
    )


def train(network: Network, loss: Loss, count: int, epochs: int, scene: Scene) -> Network:
    """Adam under a falling rate; the caller's end is heeded at each step."""
    order = torch.Generator().manual_seed(SEED)
    optimiser = torch.optim.Adam(network.parameters(), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for epoch in range(epochs):
        for index in torch.randperm(count, generator=order).split(BATCH):
            scene.report(0, 0.0)
            found = loss(index, epoch)
            optimiser.zero_grad()
            found.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
        schedule.step()
    return network.eval()


@torch.no_grad()
def in_parts(
    change: Callable[[torch.Tensor, int], torch.Tensor], samples: torch.Tensor, scene: Scene
) -> torch.Tensor:
    """8-bit pictures after ``change``, which is told the number of the first of a part."""
    found, first = [], 0
    for part in samples.split(BATCH):
        found.append(change(unit_range(part, scene), first).mul(LEVELS).round().byte().cpu())
        first += len(part)
    return torch.cat(found)


def unit_range(samples: torch.Tensor, scene: Scene) -> torch.Tensor:
    """8-bit samples as floats in [0, 1] on the run's device."""
    return samples.to(scene.device, torch.float32).div_(LEVELS)


def conv3x3(inner: int, outer: int, stride: int = 1) -> nn.Conv2d:
    """A 3×3 convolution that keeps the side, or divides it by ``stride``."""
    return nn.Conv2d(inner, outer, 3, stride=stride, padding=1)


def initialise(network: nn.Module, generator: torch.Generator) -> None:
    """He's weights from this generator, whatever other threads draw."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(layer.weight, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.Embedding):
            nn.init.normal_(layer.weight, generator=generator)
