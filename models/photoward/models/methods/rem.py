"""Robust error-minimising noise (Fu et al., ICLR 2022, arXiv 2203.14533), a baseline.

The serving step against a finished surrogate: as SEM, but where SEM adds a random perturbation to
the view, an adversary within ±ρa first *ascends* the objective there (PGD, started at random), and
the noise descends what that adversary leaves. It costs ``ATTACK_STEPS`` passes more a sample.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import torch

from photoward.models.methods.sem import PAPER, SEM
from photoward.models.pixels import project

if TYPE_CHECKING:
    from photoward.models.methods.sem import Loss, Schedule
    from photoward.models.surrogates.surrogate import Surrogate

ATTACK_STEPS = 10
"""Steps of the adversary, of ρa/5 each, as SEM's paper has its surrogates attacked on CIFAR-10."""

SCHEDULE = replace(PAPER, samples=2)
"""Two samples a step: five against an adversary would be 550 passes a picture."""


class REM(SEM):
    """SEM's descent against an adversary instead of jitter."""

    name: ClassVar[str] = "rem"
    version: ClassVar[str] = "rem-1"

    def __init__(self, surrogate: Surrogate, schedule: Schedule | None = None) -> None:
        super().__init__(surrogate, schedule or SCHEDULE)

    def _seen(
        self, shown: torch.Tensor, jitter: torch.Tensor, radius: torch.Tensor, loss: Loss
    ) -> torch.Tensor:
        plain = shown.detach()
        attacked = (plain + jitter).clamp(0, 1)
        for _ in range(ATTACK_STEPS):
            attacked.requires_grad_()
            slope = torch.autograd.grad(loss(attacked), attacked)[0]
            moved = attacked.detach() + radius / 5 * slope.sign()
            attacked = plain + project(moved - plain, plain, radius)
        return shown + (attacked - plain)
