"""The optimiser that surrogates and victims share: SGD under a one-cycle learning rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.optim.lr_scheduler import OneCycleLR

if TYPE_CHECKING:
    from torch import nn

WARM_UP = 0.2
"""Share of the steps in which the learning rate rises."""


def one_cycle(
    network: nn.Module, *, learning_rate: float, momentum: float, weight_decay: float, steps: int
) -> tuple[torch.optim.SGD, OneCycleLR]:
    """Optimiser and schedule for ``steps`` steps (Smith and Topin, 2018)."""
    optimiser = torch.optim.SGD(
        network.parameters(),
        lr=learning_rate,
        momentum=momentum,
        weight_decay=weight_decay,
        nesterov=True,
    )
    return optimiser, up_and_down(optimiser, learning_rate, steps)


def up_and_down(optimiser: torch.optim.Optimizer, learning_rate: float, steps: int) -> OneCycleLR:
    """The schedule alone, for any optimiser."""
    total = steps + 1  # it must not be asked for a rate beyond its end
    warm_up = max(WARM_UP, 1.5 / total)  # it divides by zero where one step is all of the rise
    return OneCycleLR(optimiser, learning_rate, total_steps=total, pct_start=warm_up)
