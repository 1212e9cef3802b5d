"""Stable error-minimising noise (Liu, Xu, Chen, Sun, AAAI 2024, arXiv 2311.13091), second phase.

The noise makes its label easy for a robust surrogate: it descends the label's objective on random
views t and under a uniform perturbation η in ±ρa, ``clip(t(x + δ) + η)``. The objective is the
cross-entropy of the label's keyed codeword or of its class, or the cosine to its keyed direction.

Two baselines are the same descent with other views and disturbances. *EM* (Huang et al., ICLR
2021, arXiv 2101.04898): the plain picture, whole and centred, undisturbed; twenty steps of ε/10.
*REM* (Fu et al., ICLR 2022, arXiv 2203.14533): where SEM adds a random perturbation, an adversary
within ±ρa first *ascends* the objective (PGD, started at random), and the noise descends what is
left.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch

from photoward.models import codes, views
from photoward.models.methods.descent import DRAW_BYTES, Descent, Objective, Schedule
from photoward.models.pixels import budget, project

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from photoward.models.methods.base import Brief
    from photoward.models.methods.descent import Shown, Stream
    from photoward.models.surrogates.pretrained import PretrainedNetwork
    from photoward.models.surrogates.surrogate import Surrogate

    Loss = Callable[[torch.Tensor], torch.Tensor]

PAPER = Schedule(samples=5, step_size=1.6, falling=0.0, momentum=0.0)
"""As published, for comparisons."""

SURVIVING = Schedule(steps=20, jpeg_share=0.5)
"""For files that will be saved as JPEG again: half of the samples are, for twice the work."""

ATTACK_STEPS = 10
"""Of REM's adversary, of ρa/5 each, as SEM's paper has its surrogates attacked on CIFAR-10."""


class SEM(Descent):
    """Noise that makes a label easy for a robust surrogate, under random views and jitter."""

    name: ClassVar[str] = "sem"
    version: ClassVar[str] = "sem-3"
    standard: ClassVar[Schedule] = Schedule()

    def __init__(
        self,
        surrogate: Surrogate,
        networks: Sequence[PretrainedNetwork] = (),
        schedule: Schedule | None = None,
    ) -> None:
        super().__init__(surrogate, networks)
        self.schedule = schedule or self.standard

    def _sample_bytes(self) -> int:
        return Robust.sample_bytes(self.surrogate)

    def _objectives(self, briefs: Sequence[Brief]) -> list[Objective]:
        return [Robust(self.surrogate, briefs, budget(self.schedule.radius))]


class EM(SEM):
    """Error-minimising noise, a baseline: SEM's descent on the plain picture."""

    name: ClassVar[str] = "em"
    version: ClassVar[str] = "em-1"
    standard: ClassVar[Schedule] = replace(PAPER, steps=20, samples=1, step_size=0.8)

    def _objectives(self, briefs: Sequence[Brief]) -> list[Objective]:
        return [Plain(self.surrogate, briefs, budget(self.schedule.radius))]


class REM(SEM):
    """Robust error-minimising noise, a baseline: SEM's descent against an adversary."""

    name: ClassVar[str] = "rem"
    version: ClassVar[str] = "rem-1"
    standard: ClassVar[Schedule] = replace(PAPER, samples=2)
    """Two samples a step: five against an adversary would be 550 passes a picture."""

    def _objectives(self, briefs: Sequence[Brief]) -> list[Objective]:
        return [Attacked(self.surrogate, briefs, budget(self.schedule.radius))]


class Robust:
    """The robust surrogate's objective, on random views under random jitter."""

    weight = 1.0
    smooth = False

    def __init__(self, surrogate: Surrogate, briefs: Sequence[Brief], radius: float) -> None:
        self.surrogate, self.radius = surrogate, radius
        given = [brief.direction for brief in briefs if brief.direction is not None]
        words = [brief.code for brief in briefs if brief.code is not None]
        if len(given) + len(words) != len(briefs) or (given and words):
            message = "a batch has either directions or codewords, one a picture"
            raise ValueError(message)
        self.directions = torch.from_numpy(np.stack(given)).to(surrogate.device) if given else None
        self.code = torch.tensor(words, device=surrogate.device)

    @staticmethod
    def sample_bytes(surrogate: Surrogate) -> int:
        """A view and jitter."""
        return views.DRAWS * DRAW_BYTES + 3 * surrogate.card.size**2

    def loss(self, shown: Shown, _number: int, random: Stream) -> torch.Tensor:
        """Of the label, as a view shows it."""
        size, grid = self.surrogate.card.size, shown.pictures.shape[-1]
        view = self._view(random.uniform(views.DRAWS), grid, shown.aspect)
        radius = self.radius * shown.strength
        jitter = random.symmetric((3, size, size)) * radius
        return self.objective(self._seen(view(shown.pictures), jitter, radius))

    def objective(self, seen: torch.Tensor) -> torch.Tensor:
        """What the surrogate says of pictures of its own size, summed."""
        if self.directions is not None:
            return -(self.surrogate.directions(seen) * self.directions).sum()
        alphabets = self.surrogate.card.alphabets
        return codes.cross_entropy(self.surrogate.logits(seen), self.code, alphabets)

    def _view(self, draws: torch.Tensor, grid: int, aspect: torch.Tensor) -> views.Views:
        size = self.surrogate.card.size
        return views.draw(draws, size=size, grid=grid, aspect=aspect, overhang=views.OVERHANG)

    def _seen(
        self, shown: torch.Tensor, jitter: torch.Tensor, _radius: torch.Tensor
    ) -> torch.Tensor:
        """What the surrogate is shown; ``jitter`` is uniform within ±radius."""
        return (shown + jitter).clamp(0, 1)


class Plain(Robust):
    """EM's: the whole picture, undisturbed."""

    def _view(self, draws: torch.Tensor, grid: int, aspect: torch.Tensor) -> views.Views:
        del draws
        return views.centred(size=self.surrogate.card.size, grid=grid, aspect=aspect)

    def _seen(
        self, shown: torch.Tensor, _jitter: torch.Tensor, _radius: torch.Tensor
    ) -> torch.Tensor:
        return shown


class Attacked(Robust):
    """REM's: an adversary has ascended the objective first."""

    def _seen(
        self, shown: torch.Tensor, jitter: torch.Tensor, radius: torch.Tensor
    ) -> torch.Tensor:
        plain = shown.detach()
        attacked = (plain + jitter).clamp(0, 1)
        for _ in range(ATTACK_STEPS):
            attacked.requires_grad_()
            slope = torch.autograd.grad(self.objective(attacked), attacked)[0]
            moved = attacked.detach() + radius / 5 * slope.sign()
            attacked = plain + project(moved - plain, plain, radius)
        return shown + (attacked - plain)
