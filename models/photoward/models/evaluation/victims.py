"""Somebody else's training run: a plain classifier trained from scratch on given pictures.

Never shares weights or a seed with a surrogate. Knows nothing of how the pictures were protected.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from photoward.models import views
from photoward.models.pixels import LEVELS, normalise
from photoward.models.surrogates.architectures import build
from photoward.models.surrogates.surrogate import fastest_dtype
from photoward.models.training.schedule import one_cycle

if TYPE_CHECKING:
    from collections.abc import Callable

    from photoward.models.training.data import LabelledPictures


@dataclass(frozen=True)
class VictimRecipe:
    """How the victim trains: crop and flip, one-cycle SGD, as a careful trainer would."""

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


def train_victim(
    train: LabelledPictures,
    test: LabelledPictures,
    recipe: VictimRecipe,
    device: torch.device,
    report: Callable[[int, float], None] = lambda _step, _loss: None,
) -> Verdict:
    """Train a victim on ``train`` and test it on ``test``.

    Args:
        train: what the trainer has scraped.
        test: clean pictures of the same classes, in the same order of classes.
        recipe: the trainer's recipe.
        device: where to train.
        report: told step and loss after each step.

    Raises:
        ValueError: the two sets have different classes.
    """
    if train.classes != test.classes:
        message = f"training classes {train.classes} are not the test classes {test.classes}"
        raise ValueError(message)
    began = time.monotonic()
    generator = torch.Generator().manual_seed(recipe.seed)
    torch.manual_seed(recipe.seed)  # the initial weights
    network = build(recipe.architecture, len(train.classes), recipe.width)
    network.to(device).to(memory_format=torch.channels_last)
    steps = recipe.epochs * (len(train.labels) // recipe.batch or 1)
    optimiser, schedule = one_cycle(
        network, learning_rate=recipe.learning_rate, momentum=recipe.momentum,
        weight_decay=recipe.weight_decay, steps=steps,
    )  # fmt: skip
    dtype = fastest_dtype(device)
    step = right = seen = 0
    while step < steps:
        right = seen = 0
        order = torch.randperm(len(train.labels), generator=generator)
        for index in order.split(recipe.batch):
            if step == steps or (len(index) < recipe.batch and len(order) >= recipe.batch):
                break
            x, y = _batch(train, index, device)
            uniforms = torch.rand((len(y), views.DRAWS), generator=generator).to(device)
            view = views.draw(uniforms, size=recipe.size, grid=recipe.size)
            network.train()
            with torch.autocast(device.type, dtype, enabled=dtype is not torch.float32):
                logits = network(normalise(view(x)))
            loss = functional.cross_entropy(logits.float(), y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            step += 1
            right += int((logits.argmax(1) == y).sum())
            seen += len(y)
            report(step, loss.item())
    return Verdict(
        train_accuracy=round(right / max(seen, 1), 4),
        test_accuracy=round(_accuracy(network.eval(), test, device), 4),
        seconds=round(time.monotonic() - began, 1),
        recipe=asdict(recipe),
    )


@torch.no_grad()
def _accuracy(network: torch.nn.Module, test: LabelledPictures, device: torch.device) -> float:
    right = 0
    for index in torch.arange(len(test.labels)).split(500):
        x, y = _batch(test, index, device)
        right += int((network(normalise(x)).argmax(1) == y).sum())
    return right / len(test.labels)


def _batch(
    data: LabelledPictures, index: torch.Tensor, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    x = data.pictures[index].to(device, torch.float32).div_(LEVELS)
    return x, data.labels[index].to(device)
