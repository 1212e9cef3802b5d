"""One trainer's undertaking: what it has to train on, by which recipe, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import torch

from photoward.models import views
from photoward.models.pixels import LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from photoward.models.evaluation.result_cache import Derived
    from photoward.models.training.data import LabelledPictures

    Lens: TypeAlias = Callable[[torch.Tensor], torch.Tensor]
    """A change of the input space, for pictures ``[N, 3, S, S]`` to train and to test on."""


@dataclass(frozen=True)
class VictimRecipe:
    """How the victim trains: random views and one-cycle SGD, as a careful trainer would.

    A transformer gets AdamW instead.
    """

    architecture: str = "resnet18"
    width: int = 16
    size: int = 32
    """Side that the network sees."""
    grid: int | None = None
    """Side of the stored pictures. Larger than ``size``: random resized crops, as trainers of
    photos use; None: ``size``, and padded crops as in CIFAR-10."""
    epochs: int = 15
    batch: int = 128
    optimiser: str = "sgd"
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    seed: int = 1000

    @property
    def stored(self) -> int:
        """Side of the pictures that it reads."""
        return self.grid or self.size

    def seen(self, samples: torch.Tensor, lens: Lens | None = None) -> torch.Tensor:
        """Stored 8-bit pictures ``[N, 3, G, G]`` as they are tested: whole, in [0, 1], S × S."""
        pictures = samples.to(torch.float32).div_(LEVELS)
        pictures = lens(pictures) if lens else pictures
        if self.stored == self.size:
            return pictures
        aspect = torch.ones(len(pictures), device=pictures.device)
        return views.centred(size=self.size, grid=self.stored, aspect=aspect)(pictures)


@dataclass(frozen=True)
class Leak:
    """Originals that got out, and the same pictures protected: a purifier's material."""

    originals: torch.Tensor
    """8-bit ``[N, 3, G, G]``."""
    protected: torch.Tensor
    digest: str
    """Of both."""


@dataclass(frozen=True)
class Scene:
    """What a trainer has before it begins."""

    train: LabelledPictures
    test: LabelledPictures
    recipe: VictimRecipe
    device: torch.device
    derived: Derived
    """Keeps what is costly to compute."""
    leaks: Mapping[str, Leak] = field(default_factory=dict)
    """Whose pictures leaked (``same`` tenant or an ``other``) → the pairs."""
    report: Callable[[int, float], None] = lambda _step, _loss: None
    """Told step and loss, 0 and 0 while there are none; may raise, to end it all."""


@dataclass(frozen=True)
class Learnt:
    """Shares of right answers, in [0, 1]."""

    train_curve: list[float]
    """On the training views of each epoch."""
    test_curve: list[float]
    """After each epoch, perhaps on a part of the clean test pictures."""
    test_accuracy: float
    """At the end, on all of them."""


@dataclass(frozen=True)
class Verdict:
    """What became of one victim."""

    train_accuracy: float
    """On its own (perhaps protected) training views, in the last epoch."""
    test_accuracy: float
    """At the end, on clean pictures that it never saw: low means protected."""
    seconds: float
    recipe: dict[str, object]
    train_curve: list[float] = field(default_factory=list)
    test_curve: list[float] = field(default_factory=list)
    peak_accuracy: float = 0.0
    """The most after any epoch: a trainer with a few clean pictures stops there."""
