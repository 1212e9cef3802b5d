"""Somebody else's training run: a classifier trained on given pictures, by a given recipe.

Never shares weights or a seed with a surrogate. Knows nothing of how the pictures were protected.

Reaches 80 % of clean test images when trained on 10 000 unprotected CIFAR-10 images (20 epochs, one
seed, best epoch; 30 % on ``sem``), 64 % on 4 000 (15 epochs, one seed), and 62 % on 1 200 photos of
ten classes (25 epochs, two seeds). The results are
``cifar10-*.json`` and ``photos-unseen.json`` in ``docs/benchmarks``.
"""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from photoward.models import views
from photoward.models.evaluation.countermeasures.base import changed_once, plain_training
from photoward.models.evaluation.result_cache import Derived
from photoward.models.evaluation.trainer_run import Learnt, Scene, Verdict
from photoward.models.pixels import LEVELS, normalise
from photoward.models.surrogates.architectures import build
from photoward.models.surrogates.surrogate import autocast
from photoward.models.training.schedule import one_cycle, up_and_down

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import nn
    from torch.optim.lr_scheduler import OneCycleLR

    from photoward.models.evaluation.countermeasures.base import Countermeasure, Network
    from photoward.models.evaluation.trainer_run import Leak, Lens, VictimRecipe
    from photoward.models.training.data import LabelledPictures

CURVE_PICTURES = 1000
"""Test pictures, evenly taken, that are tried after each epoch; all of them at the end."""

_WEIGHTS = threading.Lock()

ADAM_RATE, ADAM_DECAY = 1e-3, 0.05
"""Of AdamW, for a transformer."""


def train_victim(  # noqa: PLR0913  # what is trained on, how, and who watches
    train: LabelledPictures,
    test: LabelledPictures,
    recipe: VictimRecipe,
    device: torch.device,
    *,
    report: Callable[[int, float], None] = lambda _step, _loss: None,
    countermeasure: Countermeasure | None = None,
    derived: Derived | None = None,
    leaks: Mapping[str, Leak] | None = None,
) -> Verdict:
    """Train a victim on ``train`` and test it on ``test``.

    Args:
        train: what the trainer has scraped.
        test: clean pictures of the same classes, in the same order of classes.
        recipe: the trainer's recipe.
        device: where to train.
        report: told step and loss after each step.
        countermeasure: what the trainer does about protected pictures; default: nothing.
        derived: keeps what is costly to compute; default: for this call.
        leaks: pairs that some trainers learn from.

    Raises:
        ValueError: the two sets have different classes.
    """
    if train.classes != test.classes:
        message = f"training classes {train.classes} are not the test classes {test.classes}"
        raise ValueError(message)
    began = time.monotonic()
    tried = countermeasure or plain_training()
    scene = tried.prepare(
        Scene(train, test, recipe, device, derived or Derived(), leaks or {}, report)
    )
    learnt = _at_once(scene, tried.learn) if tried.learn else _by_steps(scene, tried)[0]
    return Verdict(
        train_accuracy=learnt.train_curve[-1],
        test_accuracy=learnt.test_accuracy,
        seconds=round(time.monotonic() - began, 1),
        recipe=asdict(recipe),
        train_curve=learnt.train_curve,
        test_curve=learnt.test_curve,
        peak_accuracy=max(*learnt.test_curve, learnt.test_accuracy),
    )


def training_steps(
    train: LabelledPictures, recipe: VictimRecipe, countermeasure: Countermeasure
) -> int:
    """How many batches the victim will see."""
    if countermeasure.learn:
        return 1
    epochs = max(1, round(recipe.epochs * countermeasure.effort))
    return epochs * (len(train.labels) // recipe.batch or 1)


def _at_once(scene: Scene, learn: Callable[[Scene], Learnt]) -> Learnt:
    learnt = learn(scene)
    scene.report(1, 0.0)
    return learnt


def trained(scene: Scene, countermeasure: Countermeasure) -> tuple[Learnt, Network]:
    """What a victim learnt, and the victim: logits of pictures in [0, 1], of the view's size."""
    return _by_steps(countermeasure.prepare(scene), countermeasure)


def _by_steps(scene: Scene, countermeasure: Countermeasure) -> tuple[Learnt, Network]:
    run = _Run(scene, countermeasure)
    train_curve, test_curve = [], []
    while run.step < run.steps:
        train_curve.append(round(run.epoch(scene.report), 4))
        test_curve.append(round(run.accuracy(CURVE_PICTURES), 4))
    return Learnt(train_curve, test_curve, round(run.accuracy(), 4)), run.logits


class _Run:
    """One victim in training."""

    def __init__(self, scene: Scene, countermeasure: Countermeasure) -> None:
        recipe, device = scene.recipe, scene.device
        self.recipe, self.device, self.countermeasure = recipe, device, countermeasure
        self.train, self.test = scene.train, scene.test
        self.steps = training_steps(self.train, recipe, countermeasure)
        if countermeasure.once:
            changed = changed_once(self.train, countermeasure.once)
            self.train = replace(self.train, pictures=changed)
        self.lens: Lens = countermeasure.lens(self.train, recipe.seed, device)
        self.order = torch.Generator().manual_seed(recipe.seed)
        self.chance = torch.Generator(device).manual_seed(recipe.seed)
        with _WEIGHTS:  # drawn from the generator that all threads share
            torch.manual_seed(recipe.seed)
            network = self._fresh(scene)
        self.network = network.to(device).to(memory_format=torch.channels_last)
        self.step = 0
        self.optimiser, self.schedule = self._optimiser()

    def epoch(self, report: Callable[[int, float], None]) -> float:
        """Once through the training pictures; the accuracy on their views."""
        right = seen = 0
        self.network.train()
        order = torch.randperm(len(self.train.labels), generator=self.order)
        for index in order.split(self.recipe.batch):
            if self.step == self.steps or len(index) < min(self.recipe.batch, len(order)):
                break
            samples, y = self._batch(self.train, index)
            x = self.lens(samples.to(torch.float32).div_(LEVELS))
            uniforms = torch.rand((len(y), views.DRAWS), generator=self.order).to(self.device)
            view = views.draw(uniforms, size=self.recipe.size, grid=self.recipe.stored)
            one_hot = functional.one_hot(y, len(self.train.classes)).float()
            loss, logits = self.countermeasure.objective(self.logits, view(x), one_hot, self.chance)
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            self.schedule.step()
            self.step += 1
            right += int((logits.argmax(1) == y).sum())
            seen += len(y)
            report(self.step, loss.item())
        return right / seen

    @torch.no_grad()
    def accuracy(self, limit: int | None = None) -> float:
        """On the test pictures, or on ``limit`` of them."""
        self.network.eval()
        count = len(self.test.labels)
        chosen = torch.linspace(0, count - 1, min(count, limit or count)).round().long()
        right = 0
        for index in chosen.split(500):
            samples, y = self._batch(self.test, index)
            x = self.recipe.seen(samples, self.lens)
            right += int((self.logits(x).argmax(1) == y).sum())
        return right / len(chosen)

    def logits(self, pictures: torch.Tensor) -> torch.Tensor:
        """Logits ``[N, classes]``, float32, of pictures in [0, 1]."""
        with autocast(self.device):
            found: torch.Tensor = self.network(normalise(pictures))
        return found.float()

    def _batch(
        self, data: LabelledPictures, index: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return data.pictures[index].to(self.device), data.labels[index].to(self.device)

    def _fresh(self, scene: Scene) -> nn.Module:
        if self.countermeasure.start:
            return self.countermeasure.start(scene)
        return build(self.recipe.architecture, len(self.train.classes), self.recipe.width)

    def _optimiser(self) -> tuple[torch.optim.Optimizer, OneCycleLR]:
        recipe = self.recipe
        if recipe.optimiser == "adamw":
            return _adamw(self.network, recipe.learning_rate, recipe.weight_decay, self.steps)
        if recipe.architecture == "vit":
            return _adamw(self.network, ADAM_RATE, ADAM_DECAY, self.steps)
        return one_cycle(
            self.network,
            learning_rate=recipe.learning_rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            steps=self.steps,
        )


def _adamw(
    network: nn.Module, rate: float, decay: float, steps: int
) -> tuple[torch.optim.Optimizer, OneCycleLR]:
    adam = torch.optim.AdamW(network.parameters(), rate, weight_decay=decay)
    return adam, up_and_down(adam, rate, steps)
