"""What noise makes small: a label's loss of a robust surrogate, an anchor's of pretrained networks.

*Label* (SEM: Liu, Xu, Chen, Sun, AAAI 2024, arXiv 2311.13091, second phase): the noise makes its
label easy for a robust surrogate, on random views t and under a uniform perturbation η in ±ρa,
``clip(t(x + δ) + η)``. The loss is the cross-entropy of the label's keyed codeword or of its
class, or minus the cosine to its keyed direction. Two baselines differ in view and disturbance.
*EM* (Huang et al., ICLR 2021, arXiv 2101.04898): the plain picture, whole and centred. *REM* (Fu
et al., ICLR 2022, arXiv 2203.14533): where SEM adds a random perturbation, an adversary within
±ρa first *ascends* the loss (PGD, started at random), and the noise descends what is left.

*Anchor*: noise that makes a label easy means nothing to a trainer who starts from weights that
find it easy already. What works there *contradicts* the picture: it moves what pretrained networks
see in all pictures of a label to one class of ImageNet, the label's anchor. The idea to answer an
adversary with adversarial examples of an external pretrained network is Xiao and Zheng's (CVPR
2020), turned round; a target that belongs to another label follows BAIT. A set of several families
is asked, some of it each step; the loss is the cross-entropy of the logits over the gap between
the two largest (Weng et al., 2023), which keeps its gradient when the target is won; views are
random resized crops and flips of several sizes, jointly the best single transformation for
transfer (S4ST); gradients are smoothed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
import torch
from torch.nn import functional

from photoward.models import codes, views
from photoward.models.methods.stream import WORD_BYTES
from photoward.models.pixels import project

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from photoward.models.methods.base import Brief
    from photoward.models.methods.stream import Stream
    from photoward.models.surrogates.pretrained import NetworkSet
    from photoward.models.surrogates.surrogate import Surrogate

    Loss: TypeAlias = Callable[[torch.Tensor], torch.Tensor]
    """Pictures ``[n, 3, S, S]`` in [0, 1] → their loss, summed."""

    ViewRule: TypeAlias = Callable[[torch.Tensor, int, int, torch.Tensor], views.Views]
    """Uniform draws ``[n, views.DRAWS]``, side S, grid G, aspects ``[n]`` → the views."""

    Disturbance: TypeAlias = Callable[
        [torch.Tensor, torch.Tensor, torch.Tensor, Loss], torch.Tensor
    ]
    """Views ``[n, 3, S, S]``, jitter uniform within ±radius, radius ``[n, 1, 1, 1]``, loss → what
    the surrogate sees."""

ATTACK_STEPS = 10
"""Of REM's adversary, of ρa/5 each, as SEM's paper has its surrogates attacked on CIFAR-10."""

ANCHOR_SIDES = (96, 112, 128)
"""Sides of the views that pretrained networks see, pixels, in turn."""

LEAST_GAP = 1.0
"""Between the two largest logits, below which the loss is no longer scaled up."""


@dataclass
class Shown:
    """One chunk's pictures with their noise, as an objective sees them."""

    pictures: torch.Tensor
    """``x + δ``, perhaps as a host's JPEG shows it: ``[n, 3, G, G]``."""
    aspect: torch.Tensor
    """Displayed width / height, ``[n]``."""
    strength: torch.Tensor
    """ε / 8 of each picture, ``[n, 1, 1, 1]``."""


class Objective(Protocol):
    """What one chunk's noise shall make small."""

    weight: float
    """Of its gradient, which is brought to mean size 1 first."""
    smooth: bool
    """Whether its gradient is smoothed."""

    def loss(self, shown: Shown, number: int, random: Stream) -> torch.Tensor:
        """Sum over the pictures in step ``number``."""


def random_view(draws: torch.Tensor, size: int, grid: int, aspect: torch.Tensor) -> views.Views:
    """A random resized crop or flip."""
    return views.draw(draws, size=size, grid=grid, aspect=aspect, overhang=views.OVERHANG)


def whole_view(_draws: torch.Tensor, size: int, grid: int, aspect: torch.Tensor) -> views.Views:
    """The whole picture, centred."""
    return views.centred(size=size, grid=grid, aspect=aspect)


def jittered(
    shown: torch.Tensor, jitter: torch.Tensor, _radius: torch.Tensor, _loss: Loss
) -> torch.Tensor:
    """Under uniform jitter."""
    return (shown + jitter).clamp(0, 1)


def undisturbed(
    shown: torch.Tensor, _jitter: torch.Tensor, _radius: torch.Tensor, _loss: Loss
) -> torch.Tensor:
    """As it is."""
    return shown


def attacked(
    shown: torch.Tensor, jitter: torch.Tensor, radius: torch.Tensor, loss: Loss
) -> torch.Tensor:
    """Under an adversary who has ascended the loss by PGD, started at the jitter."""
    plain = shown.detach()
    found = (plain + jitter).clamp(0, 1)
    for _ in range(ATTACK_STEPS):
        found.requires_grad_()
        slope = torch.autograd.grad(loss(found), found)[0]
        moved = found.detach() + radius / 5 * slope.sign()
        found = plain + project(moved - plain, plain, radius)
    return shown + (found - plain)


@dataclass(frozen=True)
class LabelTerm:
    """How a method asks the robust surrogate."""

    view: ViewRule = random_view
    disturbance: Disturbance = jittered


class LabelObjective:
    """The label's loss of the robust surrogate.

    Args:
        surrogate: the robust network.
        briefs: one a picture, all with a direction or all with a codeword.
        term: which view and disturbance.
        radius: ρa in unit floats, at ε = 8.
        weight: of its gradient.

    Raises:
        ValueError: targets are mixed or missing.
    """

    smooth = False

    def __init__(
        self,
        surrogate: Surrogate,
        briefs: Sequence[Brief],
        term: LabelTerm,
        radius: float,
        weight: float = 1.0,
    ) -> None:
        self.surrogate, self.term, self.radius, self.weight = surrogate, term, radius, weight
        directions = [brief.direction for brief in briefs if brief.direction is not None]
        words = [brief.code for brief in briefs if brief.code is not None]
        if len(directions) + len(words) != len(briefs) or (directions and words):
            message = "a batch has either directions or codewords, one a picture"
            raise ValueError(message)
        self.directions = (
            torch.from_numpy(np.stack(directions)).to(surrogate.device) if directions else None
        )
        self.code = torch.tensor(words, device=surrogate.device)

    @staticmethod
    def sample_bytes(surrogate: Surrogate) -> int:
        """Of a picture's stream in one sample: a view and jitter."""
        return views.DRAWS * WORD_BYTES + 3 * surrogate.card.size**2

    def loss(self, shown: Shown, _number: int, random: Stream) -> torch.Tensor:
        """Of the label, as a view shows it."""
        size, grid = self.surrogate.card.size, shown.pictures.shape[-1]
        view = self.term.view(random.uniform(views.DRAWS), size, grid, shown.aspect)
        radius = self.radius * shown.strength
        jitter = random.symmetric((3, size, size)) * radius
        seen = self.term.disturbance(view(shown.pictures), jitter, radius, self.of_label)
        return self.of_label(seen)

    def of_label(self, seen: torch.Tensor) -> torch.Tensor:
        """The loss of pictures of the surrogate's own size, summed."""
        if self.directions is not None:
            return -(self.surrogate.directions(seen) * self.directions).sum()
        alphabets = self.surrogate.card.alphabets
        return codes.cross_entropy(self.surrogate.logits(seen), self.code, alphabets)


class AnchorObjective:
    """The anchor's loss for one of the networks that a step asks.

    Args:
        networks: the set.
        briefs: one a picture, with its anchor.
        turn: which of the set's ``per_step`` this is; each has the same share of the step.

    Raises:
        ValueError: a picture has no anchor.
    """

    smooth = True

    def __init__(self, networks: NetworkSet, briefs: Sequence[Brief], turn: int) -> None:
        self.networks, self.turn = networks, turn
        self.weight = 1.0 / networks.per_step
        anchors = [brief.anchor for brief in briefs if brief.anchor is not None]
        if len(anchors) != len(briefs):
            message = "each picture needs an anchor"
            raise ValueError(message)
        self.anchors = torch.tensor(anchors, device=networks[0].device)

    @staticmethod
    def sample_bytes() -> int:
        """Of a picture's stream in one sample: a view."""
        return views.DRAWS * WORD_BYTES

    def loss(self, shown: Shown, number: int, random: Stream) -> torch.Tensor:
        """As the network sees a view of its own."""
        network = self.networks[(number * self.networks.per_step + self.turn) % len(self.networks)]
        size = ANCHOR_SIDES[(number + self.turn) % len(ANCHOR_SIDES)]
        draws = random.uniform(views.DRAWS)
        view = random_view(draws, size, shown.pictures.shape[-1], shown.aspect)
        logits = network.logits(view(shown.pictures)).float()
        first, second = logits.topk(2, dim=1).values.unbind(1)
        gap = (first - second).detach().clamp(min=LEAST_GAP)
        return functional.cross_entropy(logits / gap[:, None], self.anchors, reduction="sum")
