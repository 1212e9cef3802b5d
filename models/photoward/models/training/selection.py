"""Which pictures of a batch are worth an attack: BulletTrain (Hua et al., NeurIPS 2021).

An attack changes little where the network is sure, and teaches little where it is wrong already.
Only pictures near the decision boundary get the attack's steps: those that a random perturbation
leaves right with the smallest margin. How many there are is learnt from how many attacks turned
out well. Two things are simpler than in the paper: the margin under one random perturbation
stands for the change between two passes, and all others keep that perturbation, whether they are
right or wrong.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from photoward.models import codes

if TYPE_CHECKING:
    from collections.abc import Sequence

BULLETTRAIN = "bullettrain"

WIDER = 1.5
"""Pictures that are attacked for each that is expected to turn: so that the share can grow."""

PAST = 0.9
"""Weight of the past in the expected share."""

BLOCKS = 8
"""A batch is attacked in whole eighths: kernels like few shapes."""


class Boundary:
    """Chooses from each batch, and hears what came of it.

    Args:
        alphabets: of the codewords.
    """

    def __init__(self, alphabets: Sequence[int]) -> None:
        self.share = 1.0
        """Of a batch, as expected to turn wrong under attack; at first all."""
        self._alphabets = alphabets
        self._chosen = torch.zeros(0, dtype=torch.long)

    def choose(self, outputs: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
        """Numbers of the pictures to attack, the least sure first.

        Args:
            outputs: logits ``[N, sum(alphabets)]`` under a random perturbation.
            code: right symbols ``[N, A]``.
        """
        n = len(outputs)
        block = max(1, n // BLOCKS)
        wanted = max(1, math.ceil(WIDER * self.share * n / block)) * block
        margins = codes.margins(outputs, code, self._alphabets)
        margins = margins.where(margins > 0, torch.inf)
        chosen = margins.argsort()[: min(n, wanted)]
        self._chosen = chosen[margins[chosen].isfinite()]
        return chosen

    def hear(self, outputs: torch.Tensor, code: torch.Tensor) -> None:
        """The logits of the whole batch after the attack: how many turned wrong."""
        margins = codes.margins(outputs, code, self._alphabets)[self._chosen]
        turned = (margins <= 0).sum().item() / len(outputs)
        self.share += (1 - PAST) * (turned - self.share)
