"""Somebody else's training run: a classifier trained on given pictures, by a given recipe.

Never shares weights or a seed with a surrogate. Knows nothing of how the pictures were protected.
"""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from photoward.models import views
from photoward.models.evaluation.countermeasures import NONE, registry
from photoward.models.evaluation.countermeasures.base import changed_once
from photoward.models.pixels import LEVELS, normalise
from photoward.models.surrogates.architectures import build
from photoward.models.surrogates.surrogate import autocast
from photoward.models.training.schedule import one_cycle, up_and_down

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn
    from torch.optim.lr_scheduler import OneCycleLR

    from photoward.models.evaluation.countermeasures.base import Countermeasure, Lens
    from photoward.models.training.data import LabelledPictures

CURVE_PICTURES = 1000
"""Test pictures, evenly taken, that are tried after each epoch; all of them at the end."""

_WEIGHTS = threading.Lock()

ADAM_RATE, ADAM_DECAY = 1e-3, 0.05
"""Of AdamW, for a transformer and for a network that is trained already."""


@dataclass(frozen=True)
class VictimRecipe:
    """How the victim trains: crop and flip, one-cycle SGD, as a careful trainer would.

    A transformer and a pretrained network get AdamW instead.
    """

    architecture: str = "resnet18"
    width: int = 16
    size: int = 32
    epochs: int = 15
    batch: int = 128
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    seed: int = 1000


@dataclass(frozen=True)
class Verdict:
    """What became of one victim."""

    train_accuracy: float
    """On its own (perhaps protected) training views, in the last epoch."""
    test_accuracy: float
    """On clean pictures that it never saw: low means protected."""
    seconds: float
    recipe: dict[str, object]
    train_curve: list[float] = field(default_factory=list)
    """Accuracy on the training views of each epoch."""
    test_curve: list[float] = field(default_factory=list)
    """After each epoch, on at most ``CURVE_PICTURES`` of the test pictures."""


def train_victim(  # noqa: PLR0913  # what is trained on, how, and who watches
    train: LabelledPictures,
    test: LabelledPictures,
    recipe: VictimRecipe,
    device: torch.device,
    *,
    report: Callable[[int, float], None] = lambda _step, _loss: None,
    countermeasure: Countermeasure | None = None,
) -> Verdict:
    """Train a victim on ``train`` and test it on ``test``.

    Args:
        train: what the trainer has scraped.
        test: clean pictures of the same classes, in the same order of classes.
        recipe: the trainer's recipe.
        device: where to train.
        report: told step and loss after each step.
        countermeasure: what the trainer does about protected pictures; default: nothing.

    Raises:
        ValueError: the two sets have different classes.
    """
    if train.classes != test.classes:
        message = f"training classes {train.classes} are not the test classes {test.classes}"
        raise ValueError(message)
    began = time.monotonic()
    run = _Run(train, test, recipe, device, countermeasure or registry()[NONE])
    train_curve, test_curve = [], []
    while run.step < run.steps:
        train_curve.append(round(run.epoch(report), 4))
        test_curve.append(round(run.accuracy(CURVE_PICTURES), 4))
    return Verdict(
        train_accuracy=train_curve[-1],
        test_accuracy=round(run.accuracy(), 4),
        seconds=round(time.monotonic() - began, 1),
        recipe=asdict(recipe),
        train_curve=train_curve,
        test_curve=test_curve,
    )


def training_steps(
    train: LabelledPictures, recipe: VictimRecipe, countermeasure: Countermeasure
) -> int:
    """How many batches the victim will see."""
    epochs = max(1, round(recipe.epochs * countermeasure.effort))
    return epochs * (len(train.labels) // recipe.batch or 1)


class _Run:
    """One victim in training."""

    def __init__(
        self, train: LabelledPictures, test: LabelledPictures, recipe: VictimRecipe,
        device: torch.device, countermeasure: Countermeasure,
    ) -> None:  # fmt: skip
        self.recipe, self.device, self.countermeasure = recipe, device, countermeasure
        self.steps = training_steps(train, recipe, countermeasure)
        if countermeasure.once:
            train = replace(train, pictures=changed_once(train, countermeasure.once))
        self.train, self.test = train, test
        self.lens: Lens = countermeasure.lens(train, recipe.seed, device)
        self.order = torch.Generator().manual_seed(recipe.seed)
        self.chance = torch.Generator(device).manual_seed(recipe.seed)
        with _WEIGHTS:  # drawn from the generator that all threads share
            torch.manual_seed(recipe.seed)
            self.network = self._fresh().to(device).to(memory_format=torch.channels_last)
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
            x, y = self._batch(self.train, index)
            uniforms = torch.rand((len(y), views.DRAWS), generator=self.order).to(self.device)
            view = views.draw(uniforms, size=self.recipe.size, grid=self.recipe.size)
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
            x, y = self._batch(self.test, index)
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
        x = data.pictures[index].to(self.device, torch.float32).div_(LEVELS)
        return self.lens(x), data.labels[index].to(self.device)

    def _fresh(self) -> nn.Module:
        classes = len(self.train.classes)
        if self.countermeasure.pretrained:
            return self.countermeasure.pretrained(classes, self.recipe.size)
        return build(self.recipe.architecture, classes, self.recipe.width)

    def _optimiser(self) -> tuple[torch.optim.Optimizer, OneCycleLR]:
        recipe = self.recipe
        if self.countermeasure.pretrained or recipe.architecture == "vit":
            adam = torch.optim.AdamW(
                self.network.parameters(), ADAM_RATE, weight_decay=ADAM_DECAY
            )  # fmt: skip
            return adam, up_and_down(adam, ADAM_RATE, self.steps)
        return one_cycle(
            self.network, learning_rate=recipe.learning_rate, momentum=recipe.momentum,
            weight_decay=recipe.weight_decay, steps=self.steps,
        )  # fmt: skip
