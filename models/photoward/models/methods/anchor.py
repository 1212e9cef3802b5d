"""Targeted noise against pretrained networks: each label looks like something else to all of them.

Noise that makes a label easy means nothing to a trainer who starts from weights that find it easy
already. What works there *contradicts* the picture: it moves what pretrained networks see in all
pictures of a label to one class of ImageNet, the label's anchor. The idea to answer an adversary
with adversarial examples of an external pretrained network is Xiao and Zheng's (CVPR 2020), turned
round; a target that belongs to another label follows BAIT.

- *Networks*: a set of several families; each step asks some of them in turn, each gradient at mean
  size 1, so that no network's scale decides.
- *Loss*: the cross-entropy of the logits over the gap between the two largest (Weng et al., 2023),
  which keeps its gradient when the target is won.
- *Views*: random resized crops and flips of several sizes, jointly the best single transformation
  for transfer (S4ST); gradients are smoothed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from torch.nn import functional

from photoward.models import views
from photoward.models.methods.descent import DRAW_BYTES, Descent, Objective, Schedule
from photoward.models.methods.sem import Robust
from photoward.models.pixels import budget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from photoward.models.methods.base import Brief
    from photoward.models.methods.descent import Shown, Stream
    from photoward.models.surrogates.pretrained import PretrainedNetwork
    from photoward.models.surrogates.surrogate import Surrogate

SIZES = (96, 112, 128)
"""Sides of the views, pixels, in turn."""

LEAST_GAP = 1.0
"""Between the two largest logits, below which the loss is no longer scaled up."""

ASKED = 2
"""Networks that one step asks."""

ROBUST = 0.3
"""Weight of SEM's gradient beside theirs: it reaches its aim sooner. Even ε = 8, ten photos: with 1
the cosine is 0.62 and a held-out network's mean log-probability of the anchor −12.1, with 0.3 0.50
and −9.9, with anchor alone 0.02 and −8.6; of the unprotected photos −18.9."""


class Anchor(Descent):
    """Noise that makes a picture's label look like its anchor to pretrained networks."""

    name: ClassVar[str] = "anchor"
    version: ClassVar[str] = "anchor-1"
    standard: ClassVar[Schedule] = Schedule(steps=24, momentum=0.9, step_size=2.0)
    chunk = 1

    def __init__(
        self,
        surrogate: Surrogate,
        networks: Sequence[PretrainedNetwork] = (),
        schedule: Schedule | None = None,
    ) -> None:
        super().__init__(surrogate, networks)
        if not networks:
            message = f"{self.name} needs pretrained networks"
            raise ValueError(message)
        self.schedule = schedule or self.standard

    def _sample_bytes(self) -> int:
        return ASKED * Pretrained.sample_bytes()

    def _objectives(self, briefs: Sequence[Brief]) -> list[Objective]:
        return [Pretrained(self.networks, briefs, turn) for turn in range(ASKED)]


class SEMAnchor(Anchor):
    """Both on one picture: for trainers from scratch and for those from pretrained weights."""

    name: ClassVar[str] = "sem+anchor"
    version: ClassVar[str] = "sem-3+anchor-1"

    def _sample_bytes(self) -> int:
        return Robust.sample_bytes(self.surrogate) + super()._sample_bytes()

    def _objectives(self, briefs: Sequence[Brief]) -> list[Objective]:
        robust = Robust(self.surrogate, briefs, budget(self.schedule.radius))
        robust.weight = ROBUST
        return [robust, *super()._objectives(briefs)]


class Pretrained:
    """The anchor's loss for one of the networks whose turn it is.

    Args:
        networks: the set.
        briefs: one a picture, with its anchor.
        turn: which of the ``ASKED`` of a step this is; each has the same share of the step.
    """

    weight = 1.0 / ASKED
    smooth = True

    def __init__(
        self, networks: Sequence[PretrainedNetwork], briefs: Sequence[Brief], turn: int
    ) -> None:
        self.networks, self.turn = networks, turn
        anchors = [brief.anchor for brief in briefs if brief.anchor is not None]
        if len(anchors) != len(briefs):
            message = "each picture needs an anchor"
            raise ValueError(message)
        self.anchors = torch.tensor(anchors, device=networks[0].device)

    @staticmethod
    def sample_bytes() -> int:
        """A view."""
        return views.DRAWS * DRAW_BYTES

    def loss(self, shown: Shown, number: int, random: Stream) -> torch.Tensor:
        """As the network sees a view of its own."""
        network = self.networks[(number * ASKED + self.turn) % len(self.networks)]
        size, grid = SIZES[(number + self.turn) % len(SIZES)], shown.pictures.shape[-1]
        view = views.draw(
            random.uniform(views.DRAWS),
            size=size,
            grid=grid,
            aspect=shown.aspect,
            overhang=views.OVERHANG,
        )
        logits = network.logits(view(shown.pictures)).float()
        first, second = logits.topk(2, dim=1).values.unbind(1)
        gap = (first - second).detach().clamp(min=LEAST_GAP)
        return functional.cross_entropy(logits / gap[:, None], self.anchors, reduction="sum")
