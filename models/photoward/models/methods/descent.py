"""The descent that all noise methods share: views, objectives, a step rule, a budget.

For each picture: start δ; K times: ask each objective for the gradient of what it wants small, on
random views of ``x + δ``, each at mean size 1; add them up, with momentum; step δ against it and
back into its budget. Methods differ in their objectives and their schedule. A step is the steepest
in the norm that limits δ: against the gradient's sign where that is each pixel's limit, against
the gradient itself where a picture's root mean square is limited and the spec says so.

Two things are not the papers': the steps get smaller, and the gradient has momentum (Dong et al.,
CVPR 2018). With them one sample a step does about what five do without (decision 10).

Everything random comes from the picture's own byte stream and every network pass has the same
shape, so the noise of a picture is the same bits alone or in any batch.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Self

import torch
from torch.nn import functional

from photoward.models.jpeg import jpeg
from photoward.models.methods.base import Method
from photoward.models.methods.objectives import AnchorObjective, LabelObjective, Shown
from photoward.models.methods.stream import WORD_BYTES, Stream
from photoward.models.perceptual_budget import ROUNDS
from photoward.models.pixels import budget
from photoward.models.surrogates.surrogate import over_chunks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from photoward.models.methods.base import Brief
    from photoward.models.methods.objectives import Objective
    from photoward.models.methods.spec import MethodSpec
    from photoward.models.perceptual_budget import Budget
    from photoward.models.surrogates.pretrained import NetworkSet
    from photoward.models.surrogates.surrogate import Surrogate

JPEG_DRAWS = 2
"""Uniform numbers that say whether a sample is saved as JPEG, and in which quality."""

JPEG_QUALITY = (30, 90)
"""The worst and the best, drawn evenly."""

TINY = 1e-12
"""Below any gradient's mean that means something."""

SMOOTHING = (0.0545, 0.2442, 0.4026, 0.2442, 0.0545)
"""A Gaussian of σ = 1: gradients smoothed by it transfer better (Dong et al., CVPR 2019)."""


class Descent(Method):
    """The sum of a spec's objectives, descended by its schedule.

    Raises:
        ValueError: the spec has an anchor and no pretrained networks are given.
    """

    def __init__(
        self, spec: MethodSpec, surrogate: Surrogate, networks: NetworkSet | None = None
    ) -> None:
        super().__init__(spec, surrogate, networks)
        self.schedule = spec.schedule
        if spec.anchor and not networks:
            message = f"{spec.name} needs pretrained networks"
            raise ValueError(message)

    def _objectives(self, briefs: Sequence[Brief]) -> list[Objective]:
        """Of one chunk."""
        spec = self.spec
        found: list[Objective] = []
        networks = self.networks if spec.anchor else None
        if spec.label:
            weight = networks.label_weight if networks else 1.0
            radius = budget(self.schedule.radius)
            found.append(LabelObjective(self.surrogate, briefs, spec.label, radius, weight))
        if networks:
            found += [AnchorObjective(networks, briefs, i) for i in range(networks.per_step)]
        return found

    def _sample_bytes(self) -> int:
        """What all objectives consume of a picture's stream in one sample."""
        label = LabelObjective.sample_bytes(self.surrogate) if self.spec.label else 0
        turns = self.networks.per_step if self.networks and self.spec.anchor else 0
        return label + turns * AnchorObjective.sample_bytes()

    def stream_bytes(self, grid: int) -> int:
        """Start of δ, then for each of K·J samples what the objectives draw."""
        hosted = JPEG_DRAWS * WORD_BYTES if self.schedule.jpeg_share else 0
        samples = self.schedule.steps * self.schedule.samples
        return 3 * grid**2 + samples * (hosted + self._sample_bytes())

    def hastened(self) -> Self:
        """As few steps as ask each network once."""
        networks = self.networks if self.spec.anchor else None
        steps = -(-len(networks) // networks.per_step) if networks else 1
        self.schedule = replace(self.schedule, steps=steps)
        return self

    def _propose(self, limits: Budget, briefs: Sequence[Brief]) -> torch.Tensor:
        def descend(index: torch.Tensor) -> torch.Tensor:
            return self._descend(limits.take(index), [briefs[i] for i in index.tolist()])

        return over_chunks(len(briefs), limits.pictures.device, descend, self.spec.chunk)

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
        share = limits.limit / budget(8)
        straight = limits.rms_binds if self.spec.proportional else None
        for number in range(plan.steps):
            direction = followed(direction, gradient(delta, number), plan.momentum)
            falling = 1 - plan.falling * number / plan.steps
            step = budget(plan.step_size) * falling * share * direction.sign()
            if straight is not None:
                whole = limits.rms * falling * normalized(share * direction)
                step = torch.where(straight, whole, step)
            delta = limits.project(delta - step)
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


def normalized(step: torch.Tensor) -> torch.Tensor:
    """Each picture's step at root mean square 1."""
    return step / step.square().mean((1, 2, 3), keepdim=True).sqrt().clamp(min=TINY)


def followed(direction: torch.Tensor, gradient: torch.Tensor, momentum: float) -> torch.Tensor:
    """The next direction: ``momentum`` of the last, and each picture's gradient at mean size 1."""
    return momentum * direction + unit(gradient)


def smoothed(gradient: torch.Tensor) -> torch.Tensor:
    """A gradient ``[N, 3, G, G]`` after the Gaussian of ``SMOOTHING``."""
    line = gradient.new_tensor(SMOOTHING)
    kernel = (line[:, None] * line[None, :]).expand(3, 1, -1, -1)
    wide = functional.pad(gradient, (2, 2, 2, 2), mode="replicate")
    return functional.conv2d(wide, kernel, groups=3)
