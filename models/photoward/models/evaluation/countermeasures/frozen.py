"""Trainers who leave a pretrained network as it is and fit something simple to its features."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from photoward.models.evaluation.countermeasures.base import Countermeasure
from photoward.models.evaluation.networks import enlarged
from photoward.models.evaluation.trial import Learnt
from photoward.models.training.schedule import up_and_down

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from photoward.models.evaluation.networks import Networks
    from photoward.models.evaluation.trial import Scene

    Fit = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, int, int], Learnt]
    """Features and labels to train on, features and labels to test on, classes, a seed."""

BATCH = 64
NEIGHBOURS, TEMPERATURE = 20, 0.07
"""Of the weighted vote (Wu et al., CVPR 2018; DINO's evaluation has the same)."""

PROBE_EPOCHS, PROBE_RATE, PROBE_DECAY, PROBE_BATCH = 40, 3e-3, 0.05, 128


def on_features(
    networks: Networks, network: str, title: str, source: str, fit: Fit, side: int
) -> Countermeasure:
    """A trainer who fits ``fit`` to the pooled features of a frozen ``network``."""

    def learn(scene: Scene) -> Learnt:
        train, y = train_features(scene, networks, network, side)
        test = features(scene, networks, network, side, scene.test.pictures)
        classes = len(scene.train.classes)
        return fit(train, y, test, scene.test.labels, classes, scene.recipe.seed)

    return Countermeasure(
        title, source, {"side_px": side, "weights": networks.digest(network)}, network=network,
        learn=learn,
    )  # fmt: skip


def train_features(
    scene: Scene, networks: Networks, network: str, side: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each training picture and its mirror image ``[2 N, D]``, with their labels."""
    shown = scene.train.pictures
    both = [features(scene, networks, network, side, one) for one in (shown, shown.flip(3))]
    return torch.cat(both), scene.train.labels.repeat(2)


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
        "features": networks.digest(network), "side": side, "size": recipe.size,
        "stored": recipe.stored,
    }  # fmt: skip
    return scene.derived.rows(what, pictures, compute)


def linear_probe(
    x: torch.Tensor, y: torch.Tensor, test: torch.Tensor, truth: torch.Tensor, classes: int,
    seed: int,
) -> Learnt:  # fmt: skip
    """Logistic regression; its curve is over the epochs."""
    train_curve, test_curve = [], []
    head = Probe(x, classes)
    for _ in head.fit(x, y, seed):
        train_curve.append(_right(head(x), y))
        test_curve.append(_right(head(test), truth))
    return Learnt(train_curve, test_curve, test_curve[-1])


def nearest_mean(
    x: torch.Tensor, y: torch.Tensor, test: torch.Tensor, truth: torch.Tensor, classes: int,
    seed: int,
) -> Learnt:  # fmt: skip
    """The class whose mean direction, about the mean of all, is the nearest."""
    del seed
    centre = x.mean(0)
    unit = functional.normalize(x - centre)
    means = torch.stack([unit[y == number].mean(0) for number in range(classes)])
    return _at_once(
        [functional.normalize(one - centre) @ functional.normalize(means).T for one in (x, test)],
        y, truth,
    )  # fmt: skip


def nearest_neighbours(
    x: torch.Tensor, y: torch.Tensor, test: torch.Tensor, truth: torch.Tensor, classes: int,
    seed: int,
) -> Learnt:  # fmt: skip
    """A vote of the ``NEIGHBOURS`` most similar pictures, weighted by similarity."""
    del seed
    centre = x.mean(0)
    known = functional.normalize(x - centre)

    def vote(asked: torch.Tensor) -> torch.Tensor:
        likeness = functional.normalize(asked - centre) @ known.T
        nearest, who = likeness.topk(min(NEIGHBOURS, len(known)))
        weights = (nearest / TEMPERATURE).exp()
        return torch.zeros(len(asked), classes).scatter_add_(1, y[who], weights)

    return _at_once([vote(x), vote(test)], y, truth)


class Probe(nn.Module):
    """A linear classifier of features that are brought to zero mean and unit variance."""

    def __init__(self, x: torch.Tensor, classes: int) -> None:
        super().__init__()
        self.mean, self.scale = x.mean(0), x.std(0).clamp(min=1e-4)
        self.weight = nn.Parameter(torch.zeros(classes, x.shape[1]))
        self.bias = nn.Parameter(torch.zeros(classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits ``[N, classes]``."""
        return functional.linear((x - self.mean) / self.scale, self.weight, self.bias)

    def fit(self, x: torch.Tensor, y: torch.Tensor, seed: int) -> Iterator[int]:
        """Train, pausing after each epoch; its number."""
        generator = torch.Generator().manual_seed(seed)
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


def _at_once(logits: list[torch.Tensor], y: torch.Tensor, truth: torch.Tensor) -> Learnt:
    """What is fitted in one step has a curve of one point."""
    train, test = _right(logits[0], y), _right(logits[1], truth)
    return Learnt([train], [test], test)


def _right(logits: torch.Tensor, labels: torch.Tensor) -> float:
    return round(float((logits.argmax(1) == labels).float().mean()), 4)
