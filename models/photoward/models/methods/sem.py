"""Stable error-minimising noise (Liu, Xu, Chen, Sun, AAAI 2024, arXiv 2311.13091), second phase.

For each picture: start δ uniform in ±ε; repeat K times: for J samples draw a view t and a uniform
perturbation η in ±ρa, take the gradient of the objective of ``clip(t(x + δ) + η)``, add up, and
step δ against its sign within ±ε. The objective is the label's: the cross-entropy of its keyed
codeword or of its class, or the cosine to its keyed direction.

Two things are not the paper's: the steps get smaller, and the gradient has momentum (Dong et al.,
CVPR 2018). With them one sample a step does about what five do without (decision 10).

Everything random comes from the picture's own byte stream and every network pass has the same
shape, so the noise of a picture is the same bits alone or in any batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch

from photoward.models import codes, views
from photoward.models.jpeg import jpeg
from photoward.models.methods.base import Brief, Method
from photoward.models.pixels import budget, project
from photoward.models.surrogates.surrogate import over_chunks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from photoward.models.surrogates.surrogate import Surrogate

    Loss = Callable[[torch.Tensor], torch.Tensor]

DRAW_BYTES = 4
"""Bytes of one uniform number for a view; η takes one byte a sample."""

JPEG_DRAWS = 2
"""Uniform numbers that say whether a sample is saved as JPEG, and in which quality."""

JPEG_QUALITY = (30, 90)
"""The worst and the best, drawn evenly."""

TINY = 1e-12
"""Below any gradient's mean that means something."""


@dataclass(frozen=True)
class Schedule:
    """The cost and strength of the noise step; radii in 1/255 at ε = 8 (they scale with ε)."""

    steps: int = 10
    """K (table 1 of the paper: 10)."""
    samples: int = 1
    """J (the paper: 5)."""
    step_size: float = 4.0
    """α of the first step, at ε = 8 (the paper: 1.6)."""
    falling: float = 1.0
    """Share of α that is lost, evenly, in the course of the steps (the paper: 0)."""
    momentum: float = 0.5
    """Share of the previous direction that the next one keeps (the paper: 0)."""
    radius: float = 4.0
    """ρa of η, at ε = 8."""
    jpeg_share: float = 0.0
    """Share of the samples that are saved as JPEG before they are viewed."""


PAPER = Schedule(samples=5, step_size=1.6, falling=0.0, momentum=0.0)
"""As published, for comparisons."""


SURVIVING = Schedule(steps=20, jpeg_share=0.5)
"""For files that will be saved as JPEG again: half of the samples are, for twice the work."""


class SEM(Method):
    """Noise that makes a label easy for a robust surrogate, under random views and jitter."""

    name: ClassVar[str] = "sem"
    version: ClassVar[str] = "sem-2"

    def __init__(self, surrogate: Surrogate, schedule: Schedule | None = None) -> None:
        super().__init__(surrogate)
        self.schedule = schedule or Schedule()

    def stream_bytes(self) -> int:
        """Start of δ on the largest grid, then for each of K·J samples a view and η."""
        size = self.surrogate.card.size
        draws = views.DRAWS + (JPEG_DRAWS if self.schedule.jpeg_share else 0)
        sample = draws * DRAW_BYTES + 3 * size * size
        return 3 * (2 * size) ** 2 + self.schedule.steps * self.schedule.samples * sample

    def _propose(
        self, pictures: torch.Tensor, epsilon: torch.Tensor, briefs: Sequence[Brief]
    ) -> torch.Tensor:
        def descend(index: torch.Tensor) -> torch.Tensor:
            chunk = [briefs[i] for i in index.tolist()]
            return self._descend(pictures[index], epsilon[index], chunk)

        return over_chunks(len(briefs), pictures.device, descend)

    def _descend(
        self, x: torch.Tensor, epsilon: torch.Tensor, briefs: Sequence[Brief]
    ) -> torch.Tensor:
        """K steps on one chunk."""
        plan, strength = self.schedule, epsilon / budget(8)
        radius = budget(plan.radius) * strength.amax((2, 3), keepdim=True)
        random = _Stream(briefs, x.device)
        aspect = torch.tensor([b.aspect for b in briefs], device=x.device)
        objective = _Objective(self.surrogate, briefs)
        size, grid = self.surrogate.card.size, x.shape[-1]
        grey = torch.tensor([b.grey for b in briefs], device=x.device).reshape(-1, 1, 1, 1)

        def coloured(change: torch.Tensor) -> torch.Tensor:
            return torch.where(grey, change.mean(1, keepdim=True), change)

        delta = project(coloured(random.symmetric(x.shape[1:])) * epsilon, x, epsilon)
        direction = torch.zeros_like(delta)
        for number in range(plan.steps):
            total = torch.zeros_like(delta)
            for _ in range(plan.samples):
                view = self._view(random.uniform(views.DRAWS), grid, aspect)
                jitter = random.symmetric((3, size, size)) * radius
                delta.requires_grad_()
                hosted = self._hosted(x + delta, random)
                loss = objective(self._seen(view(hosted), jitter, radius, objective))
                total += torch.autograd.grad(loss, delta)[0]
                delta = delta.detach()
            total = coloured(total)
            direction = followed(direction, total, plan.momentum)
            step = budget(plan.step_size) * (1 - plan.falling * number / plan.steps) * strength
            delta = project(delta - step * direction.sign(), x, epsilon)
        return delta

    def _hosted(self, pictures: torch.Tensor, random: _Stream) -> torch.Tensor:
        """Some of the pictures, as a host's JPEG shows them."""
        if not self.schedule.jpeg_share:
            return pictures
        chosen, quality = random.uniform(JPEG_DRAWS).unbind(dim=1)
        least, most = JPEG_QUALITY
        shown = jpeg(pictures, (least + (most - least + 1) * quality).floor())
        return torch.where(
            (chosen < self.schedule.jpeg_share)[:, None, None, None], shown, pictures
        )

    # What the baselines do differently.

    def _view(self, draws: torch.Tensor, grid: int, aspect: torch.Tensor) -> views.Views:
        """What is looked at in one sample."""
        return views.draw(draws, size=self.surrogate.card.size, grid=grid, aspect=aspect)

    def _seen(
        self, shown: torch.Tensor, jitter: torch.Tensor, _radius: torch.Tensor, _: Loss
    ) -> torch.Tensor:
        """What the objective sees of ``shown``; ``jitter`` is uniform within ±radius."""
        return (shown + jitter).clamp(0, 1)


def followed(
    direction: torch.Tensor, gradient: torch.Tensor, momentum: float
) -> torch.Tensor:  # fmt: skip
    """The next direction: ``momentum`` of the last, and each picture's gradient at mean size 1."""
    length = gradient.abs().mean((1, 2, 3), keepdim=True).clamp(min=TINY)
    return momentum * direction + gradient / length


class _Objective:
    """Sum over the chunk of what each picture's noise shall make small."""

    def __init__(self, surrogate: Surrogate, briefs: Sequence[Brief]) -> None:
        self.surrogate = surrogate
        given = [brief.direction for brief in briefs if brief.direction is not None]
        words = [brief.code for brief in briefs if brief.code is not None]
        if len(given) + len(words) != len(briefs) or (given and words):
            message = "a batch has either directions or codewords, one a picture"
            raise ValueError(message)
        self.directions = torch.from_numpy(np.stack(given)).to(surrogate.device) if given else None
        self.code = torch.tensor(words, device=surrogate.device)

    def __call__(self, seen: torch.Tensor) -> torch.Tensor:
        if self.directions is not None:
            return -(self.surrogate.directions(seen) * self.directions).sum()
        alphabets = self.surrogate.card.alphabets
        return codes.cross_entropy(self.surrogate.logits(seen), self.code, alphabets)


class _Stream:
    """Consumes the pictures' byte streams side by side."""

    def __init__(self, briefs: Sequence[Brief], device: torch.device) -> None:
        self._bytes = np.stack([brief.stream for brief in briefs])
        self._position = 0
        self._device = device

    def uniform(self, count: int) -> torch.Tensor:
        """``[N, count]`` numbers in [0, 1) of 24 bits each."""
        words = self._take(count * DRAW_BYTES).view("<u4")
        numbers = (words >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)
        return torch.from_numpy(numbers).to(self._device)

    def symmetric(self, shape: Sequence[int]) -> torch.Tensor:
        """``[N, *shape]`` numbers uniform in (-1, 1), of 256 levels."""
        raw = self._take(int(np.prod(list(shape))))
        numbers = torch.from_numpy(raw).to(self._device, torch.float32)
        return numbers.add_(0.5).div_(128).sub_(1).reshape(-1, *shape)

    def _take(self, count: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
        part = self._bytes[:, self._position : self._position + count]
        if part.shape[1] != count:
            message = "a picture's byte stream is shorter than the method's stream_bytes"
            raise ValueError(message)
        self._position += count
        return np.ascontiguousarray(part)
