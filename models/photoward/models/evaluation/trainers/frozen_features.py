"""Trainers who leave a pretrained network as it is and fit something simple to its features.

The linear probe on EfficientNet-Lite0 reaches 92 % from 200 unprotected photos of ten classes, 90 %
at ``strong`` and 79 % at ``maximum`` (one secret, one seed; ``docs/benchmarks/levels.json``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from photoward.models.evaluation.countermeasures.base import Countermeasure
from photoward.models.evaluation.pretrained_networks import enlarged
from photoward.models.evaluation.trainer_run import Learnt
from photoward.models.training.schedule import up_and_down

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from photoward.models.evaluation.pretrained_networks import Networks
    from photoward.models.evaluation.trainer_run import Scene

    Fit = Callable[["Known", "Known"], Learnt]
    """What to train on, what to test on."""

BATCH = 64
NEIGHBOURS, TEMPERATURE = 20, 0.07
"""Of the weighted vote (Wu et al., CVPR 2018; DINO's evaluation has the same)."""

PROBE_EPOCHS, PROBE_RATE, PROBE_DECAY, PROBE_BATCH = 40, 3e-3, 0.05, 128


@dataclass(frozen=True)
class Known:
    """Features of pictures and what they show."""

    x: torch.Tensor
    """``[N, D]``."""
    y: torch.Tensor
    classes: int
    seed: int

    def right(self, logits: torch.Tensor) -> float:
        """Share of right answers."""
        return round(float((logits.argmax(1) == self.y).float().mean()), 4)


def on_features(  # noqa: PLR0913, PLR0917  # what a row says
    networks: Networks, network: str, title: str, source: str, fit: Fit, side: int
) -> Countermeasure:
    """A trainer who fits ``fit`` to the pooled features of a frozen ``network``."""

    def learn(scene: Scene) -> Learnt:
        known = train_features(scene, networks, network, side)
        shown = features(scene, networks, network, side, scene.test.pictures)
        return fit(known, replace(known, x=shown, y=scene.test.labels))

    return Countermeasure(
        title,
        source,
        {"side_px": side, "weights": networks.digest(network)},
        network=network,
        learn=learn,
    )


def train_features(scene: Scene, networks: Networks, network: str, side: int) -> Known:
    """Of each training picture and its mirror image."""
    shown = scene.train.pictures
    both = [features(scene, networks, network, side, one) for one in (shown, shown.flip(3))]
    labels, classes = scene.train.labels.repeat(2), len(scene.train.classes)
    return Known(torch.cat(both), labels, classes, scene.recipe.seed)


def features(
    scene: Scene, networks: Networks, network: str, side: int, pictures: torch.Tensor
) -> torch.Tensor:
    """Pooled features ``[N, D]`` of 8-bit pictures, seen as at a test; kept from run to run."""
    body, recipe, device = networks.frozen(network, scene.device), scene.recipe, scene.device

    @torch.no_grad()
    def compute(samples: torch.Tensor) -> torch.Tensor:
        found = []
        for part in samples.split(BATCH):
            scene.report(0, 0.0)
            seen = enlarged(recipe.seen(part.to(device)), side)
            found.append(body.features(seen).float().cpu())
        return torch.cat(found)

    what = {
        "features": networks.digest(network),
        "side": side,
        "size": recipe.size,
        "stored": recipe.stored,
    }
    return scene.derived.rows(what, pictures, compute)


def linear_probe(known: Known, asked: Known) -> Learnt:
    """Logistic regression; its curve is over the epochs."""
    train_curve, test_curve = [], []
    probe = Probe(known)
    for _ in probe.fit():
        train_curve.append(known.right(probe(known.x)))
        test_curve.append(asked.right(probe(asked.x)))
    return Learnt(train_curve, test_curve, test_curve[-1])


def nearest_mean(known: Known, asked: Known) -> Learnt:
    """The class whose mean direction, about the mean of all, is the nearest."""
    centre = known.x.mean(0)
    unit = functional.normalize(known.x - centre)
    means = torch.stack([unit[known.y == number].mean(0) for number in range(known.classes)])
    return _at_once(known, asked, lambda x: (x - centre) @ functional.normalize(means).T)


def nearest_neighbours(known: Known, asked: Known) -> Learnt:
    """A vote of the ``NEIGHBOURS`` most similar pictures, weighted by similarity."""
    centre = known.x.mean(0)
    stored = functional.normalize(known.x - centre)

    def vote(x: torch.Tensor) -> torch.Tensor:
        likeness = functional.normalize(x - centre) @ stored.T
        nearest, who = likeness.topk(min(NEIGHBOURS, len(stored)))
        weights = (nearest / TEMPERATURE).exp()
        return torch.zeros(len(x), known.classes).scatter_add_(1, known.y[who], weights)

    return _at_once(known, asked, vote)


class Probe(nn.Module):
    """A linear classifier of features that are brought to zero mean and unit variance."""

    def __init__(self, known: Known) -> None:
        super().__init__()
        self.known = known
        self.mean, self.scale = known.x.mean(0), known.x.std(0).clamp(min=1e-4)
        self.weight = nn.Parameter(torch.zeros(known.classes, known.x.shape[1]))
        self.bias = nn.Parameter(torch.zeros(known.classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits ``[N, classes]``."""
        return functional.linear((x - self.mean) / self.scale, self.weight, self.bias)

    def fit(self) -> Iterator[int]:
        """Train, pausing after each epoch; its number."""
        x, y = self.known.x, self.known.y
        generator = torch.Generator().manual_seed(self.known.seed)
        optimiser = torch.optim.AdamW(self.parameters(), PROBE_RATE, weight_decay=PROBE_DECAY)
        steps = PROBE_EPOCHS * math.ceil(len(y) / PROBE_BATCH)
        schedule = up_and_down(optimiser, PROBE_RATE, steps)
        for epoch in range(PROBE_EPOCHS):
            for index in torch.randperm(len(y), generator=generator).split(PROBE_BATCH):
                loss = functional.cross_entropy(self(x[index]), y[index])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
            yield epoch

    def head(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Weights and bias of the same classifier for features as they are."""
        weight = self.weight.detach() / self.scale
        return weight, self.bias.detach() - weight @ self.mean


def _at_once(known: Known, asked: Known, logits: Callable[[torch.Tensor], torch.Tensor]) -> Learnt:
    """What is fitted in one step has a curve of one point."""
    train, test = known.right(logits(known.x)), asked.right(logits(asked.x))
    return Learnt([train], [test], test)
