"""What a countermeasure is: the few places at which a trainer departs from plain training.

Everything else of the trainer's run (views, schedule, network) stays as it is, so that rows of a
table differ in one thing. Knows no protection: a countermeasure is told nothing of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import nn

    from photoward.models.evaluation.trainer_run import Learnt, Lens, Scene
    from photoward.models.training.data import LabelledPictures

    Network: TypeAlias = Callable[[torch.Tensor], torch.Tensor]
    """Logits ``[N, classes]`` of pictures in [0, 1]."""

    Objective: TypeAlias = Callable[
        [Network, torch.Tensor, torch.Tensor, torch.Generator], tuple[torch.Tensor, torch.Tensor]
    ]
    """Network, views in [0, 1], one-hot labels, randomness on their device → loss, logits."""


def plain(
    network: Network, x: torch.Tensor, y: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross-entropy of the views as they are."""
    del generator
    return learn(network, x, y)


def learn(network: Network, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross-entropy of pictures with one-hot or soft labels, and their logits."""
    logits = network(x)
    return functional.cross_entropy(logits, y), logits


def same(pictures: torch.Tensor) -> torch.Tensor:
    """The lens that changes nothing."""
    return pictures


def no_lens(train: LabelledPictures, seed: int, device: torch.device) -> Lens:
    """Most countermeasures leave the input space alone."""
    del train, seed, device
    return same


def unprepared(scene: Scene) -> Scene:
    """Most countermeasures take the pictures as they are."""
    return scene


@dataclass(frozen=True)
class Countermeasure:
    """One answer of a trainer who suspects protected pictures."""

    title: str
    """In a table, a few words."""
    source: str
    """Who described it."""
    parameters: Mapping[str, float | str] = field(default_factory=dict)
    """What decides it; stands in each cell's recipe."""
    once: Callable[[Image.Image], Image.Image] | None = None
    """What each training picture goes through before training; test pictures do not."""
    prepare: Callable[[Scene], Scene] = unprepared
    """What becomes of whole sets before training, where one picture alone does not decide it."""
    lens: Callable[[LabelledPictures, int, torch.device], Lens] = no_lens
    """Given the training set and a seed: what training *and* test pictures go through."""
    objective: Objective = plain
    network: str = ""
    """The pretrained network that it starts from, in place of a victim's own architecture."""
    start: Callable[[Scene], nn.Module] | None = None
    """The network to train, on the CPU, in place of one with fresh weights."""
    learn: Callable[[Scene], Learnt] | None = None
    """In place of training by steps."""
    recipe: Mapping[str, float | str] = field(default_factory=dict)
    """Fields of the victim's recipe that it sets itself."""
    effort: float = 1.0
    """Epochs as a share of the recipe's."""
    family: str = ""
    """Rows of which a trainer would take the best: ``fine-tune`` at several learning rates."""
    largest_px: int | None = None
    """Side of the stored pictures above which it takes too long."""
    needs: str = ""
    """Whose leaked pairs it learns from: ``same`` tenant or an ``other``."""
    missing: str = ""
    """What has to be installed before it can be tried; empty when it can."""


def plain_training() -> Countermeasure:
    """Nothing is done about protected pictures."""
    return Countermeasure("plain training", "crop and flip, one-cycle SGD")


def changed_once(
    train: LabelledPictures, change: Callable[[Image.Image], Image.Image]
) -> torch.Tensor:
    """All training pictures after ``change``, as 8-bit samples ``[N, 3, S, S]``."""
    shown = train.pictures.permute(0, 2, 3, 1).contiguous().numpy()
    changed = np.stack([np.asarray(change(Image.fromarray(one)).convert("RGB")) for one in shown])
    return torch.from_numpy(changed).permute(0, 3, 1, 2).contiguous()
