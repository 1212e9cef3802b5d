"""The descent that all noise methods share: views, objectives, a step rule, a budget.

For each picture: start δ; K times: ask each objective for the gradient of what it wants small, on
random views of ``x + δ``, each at mean size 1; add them up, with momentum; step δ against the sign
and back into its budget. Methods differ in their objectives and their schedule.

Two things are not the papers': the steps get smaller, and the gradient has momentum (Dong et al.,
CVPR 2018). With them one sample a step does about what five do without (decision 10).

Everything random comes from the picture's own byte stream and every network pass has the same
shape, so the noise of a picture is the same bits alone or in any batch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
import torch
from torch.nn import functional

from photoward.models.jpeg import jpeg
from photoward.models.methods.base import Method
from photoward.models.perceptual_budget import ROUNDS
from photoward.models.pixels import budget
from photoward.models.surrogates.surrogate import over_chunks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from photoward.models.methods.base import Brief
    from photoward.models.perceptual_budget import Budget

DRAW_BYTES = 4
"""Bytes of one uniform number for a view; jitter takes one byte a sample."""

JPEG_DRAWS = 2
"""Uniform numbers that say whether a sample is saved as JPEG, and in which quality."""

JPEG_QUALITY = (30, 90)
"""The worst and the best, drawn evenly."""

TINY = 1e-12
"""Below any gradient's mean that means something."""

SMOOTHING = (0.0545, 0.2442, 0.4026, 0.2442, 0.0545)
"""A Gaussian of σ = 1: gradients smoothed by it transfer better (Dong et al., CVPR 2019)."""


@dataclass(frozen=True)
class Schedule:
    """The cost and strength of the noise steps; radii in 1/255 at ε = 8 (they scale with ε)."""

    steps: int = 10
    """K (table 1 of SEM's paper: 10)."""
    samples: int = 1
    """J, views a step of each objective (the paper: 5)."""
    step_size: float = 4.0
    """α of the first step, at ε = 8 (the paper: 1.6)."""
    falling: float = 1.0
    """Share of α that is lost, evenly, in the course of the steps (the paper: 0)."""
    momentum: float = 0.5
    """Share of the previous direction that the next one keeps (the paper: 0)."""
    radius: float = 4.0
    """ρa of the jitter η, at ε = 8."""
    jpeg_share: float = 0.0
    """Share of the samples that are saved as JPEG before they are viewed."""


class Objective(Protocol):
    """What one chunk's noise shall make small."""

    weight: float
    smooth: bool
    """Whether its gradient is smoothed."""

    def loss(self, shown: Shown, number: int, random: Stream) -> torch.Tensor:
        """Sum over the pictures, as step ``number`` sees them."""


@dataclass
class Shown:
    """One chunk's pictures with their noise, as an objective is shown them."""

    pictures: torch.Tensor
    """``x + δ``, perhaps as a host's JPEG shows it: ``[n, 3, G, G]``."""
    aspect: torch.Tensor
    strength: torch.Tensor
    """ε / 8 of each picture, ``[n, 1, 1, 1]``."""


class Descent(Method):
    """A method that is a sum of objectives and a schedule."""

    schedule: Schedule
    chunk: int | None = None
    """Pictures in one pass on a CPU; None: as many as the surrogate is fastest with."""

    def _objectives(self, briefs: Sequence[Brief]) -> list[Objective]:
        """Of one chunk."""
        raise NotImplementedError

    def _sample_bytes(self) -> int:
        """What all objectives consume of a picture's stream in one sample."""
        raise NotImplementedError

    def stream_bytes(self, grid: int) -> int:
        """Start of δ, then for each of K·J samples what the objectives draw."""
        hosted = JPEG_DRAWS * DRAW_BYTES if self.schedule.jpeg_share else 0
        samples = self.schedule.steps * self.schedule.samples
        return 3 * grid**2 + samples * (hosted + self._sample_bytes())

    def hastened(self) -> Self:
        """A step or two: each network is asked once."""
        self.schedule = replace(self.schedule, steps=max(1, (len(self.networks) + 1) // 2))
        return self

    def _propose(self, limits: Budget, briefs: Sequence[Brief]) -> torch.Tensor:
        def descend(index: torch.Tensor) -> torch.Tensor:
            return self._descend(limits.take(index), [briefs[i] for i in index.tolist()])

        return over_chunks(len(briefs), limits.pictures.device, descend, self.chunk)

    def _descend(self, limits: Budget, briefs: Sequence[Brief]) -> torch.Tensor:
        """K steps on one chunk."""
        plan, x = self.schedule, limits.pictures
        random = Stream(briefs, x.device)
        objectives = self._objectives(briefs)
        grey = torch.tensor([b.grey for b in briefs], device=x.device).reshape(-1, 1, 1, 1)
        aspect = torch.tensor([b.aspect for b in briefs], device=x.device)
        strength = limits.epsilon / budget(8)

        def coloured(change: torch.Tensor) -> torch.Tensor:
            return torch.where(grey, change.mean(1, keepdim=True), change)

        def gradient(delta: torch.Tensor, number: int) -> torch.Tensor:
            total = torch.zeros_like(delta)
            for _ in range(plan.samples):
                delta = delta.detach().requires_grad_()
                shown = Shown(self._hosted(x + delta, random), aspect, strength)
                for objective in objectives:
                    loss = objective.loss(shown, number, random)
                    more = objective is not objectives[-1]
                    found = torch.autograd.grad(loss, delta, retain_graph=more)[0]
                    found = smoothed(found) if objective.smooth else found
                    total += objective.weight * unit(found)
            return coloured(total)

        delta = limits.project(coloured(random.symmetric(x.shape[1:])) * limits.limit)
        direction = torch.zeros_like(delta)
        for number in range(plan.steps):
            direction = followed(direction, gradient(delta, number), plan.momentum)
            step = budget(plan.step_size) * (1 - plan.falling * number / plan.steps)
            share = limits.limit / budget(8)
            delta = limits.project(delta - step * share * direction.sign())
        return limits.project(delta, ROUNDS)

    def _hosted(self, pictures: torch.Tensor, random: Stream) -> torch.Tensor:
        """Some of the pictures, as a host's JPEG shows them."""
        if not self.schedule.jpeg_share:
            return pictures
        chosen, quality = random.uniform(JPEG_DRAWS).unbind(dim=1)
        least, most = JPEG_QUALITY
        shown = jpeg(pictures, (least + (most - least + 1) * quality).floor())
        return torch.where(
            (chosen < self.schedule.jpeg_share)[:, None, None, None], shown, pictures
        )


def unit(gradient: torch.Tensor) -> torch.Tensor:
    """Each picture's gradient at mean size 1."""
    return gradient / gradient.abs().mean((1, 2, 3), keepdim=True).clamp(min=TINY)


def followed(direction: torch.Tensor, gradient: torch.Tensor, momentum: float) -> torch.Tensor:
    """The next direction: ``momentum`` of the last, and each picture's gradient at mean size 1."""
    return momentum * direction + unit(gradient)


def smoothed(gradient: torch.Tensor) -> torch.Tensor:
    """A gradient ``[N, 3, G, G]`` after the Gaussian of ``SMOOTHING``."""
    line = gradient.new_tensor(SMOOTHING)
    kernel = (line[:, None] * line[None, :]).expand(3, 1, -1, -1)
    wide = functional.pad(gradient, (2, 2, 2, 2), mode="replicate")
    return functional.conv2d(wide, kernel, groups=3)


class Stream:
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
