"""What every method is, and the envelope that none escapes.

A method proposes a perturbation; the public call is final: it checks its input, asks for the
proposal, and projects it to ε and to [0, 1] whatever came back. A method that is not bounded by ε
is projected to what a file's noise can hold instead. A method knows pictures and a surrogate; no
files, no keys, no queue.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch

from photoward.core.imaging.noise import WIDEST
from photoward.models import masking
from photoward.models.pixels import LEVELS, budget, from_bytes, project, to_levels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from photoward.models.surrogates.surrogate import Surrogate


@dataclass(frozen=True)
class Brief:
    """What is wanted for one picture."""

    epsilon: float
    """Budget in 1/255; 0 for a method whose strength cannot be chosen."""
    stream: NDArray[np.uint8]
    """The picture's own pseudo-random bytes, ``method.stream_bytes`` of them."""
    aspect: float
    """Displayed width / height."""
    grey: bool = False
    """Whether the noise must be the same in all channels."""
    shaped: bool = False
    """Whether less of ε is to be spent where the eye would see it (``models.masking``)."""
    direction: NDArray[np.float32] | None = None
    """Target prototype: a unit vector in the surrogate's feature space."""
    code: tuple[int, ...] | None = None
    """Target symbols, one of each of the surrogate's alphabets; a class number is a word of one.
    A method that asks the surrogate is given exactly one of the two targets."""
    label_stream: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    """The label's own pseudo-random bytes, ``method.label_bytes`` of them: the same for all
    pictures of a tenant's label."""


class Method(ABC):
    """A perturbation for batches of pictures on one working grid."""

    name: ClassVar[str]
    version: ClassVar[str]
    """Part of every image seed: a change of the noise changes this too."""
    bounded: ClassVar[bool] = True
    """Whether ε bounds the change of every sample."""

    def __init__(self, surrogate: Surrogate) -> None:
        self.surrogate = surrogate

    @abstractmethod
    def stream_bytes(self) -> int:
        """How many pseudo-random bytes one picture consumes."""

    def label_bytes(self) -> int:
        """How many pseudo-random bytes of its label one picture consumes."""
        return 0

    @abstractmethod
    def _propose(
        self, pictures: torch.Tensor, epsilon: torch.Tensor, briefs: Sequence[Brief]
    ) -> torch.Tensor:
        """δ for pictures ``[N, 3, G, G]`` in [0, 1]; ``epsilon`` is ``[N, 1, G, G]``."""

    def perturb(self, pictures: NDArray[np.uint8], briefs: Sequence[Brief]) -> NDArray[np.int16]:
        """The noise of a batch, in whole 8-bit steps.

        Args:
            pictures: ``[N, G, G, 3]`` RGB samples on the working grid.
            briefs: one a picture.

        Returns:
            ``[N, G, G, 3]`` steps with ``0 ≤ picture + noise ≤ 255`` and ``|noise| ≤ ε``; of a
            method that is not bounded, ``|noise| ≤ 127``.
            A picture's noise does not depend on its neighbours in the batch.

        Raises:
            ValueError: shapes or counts that do not fit together.
        """
        n = len(briefs)
        if pictures.ndim != 4 or pictures.shape[0] != n or pictures.shape[3] != 3:  # noqa: PLR2004  # NHWC RGB
            message = f"expected [{n}, G, G, 3] pictures, got {pictures.shape}"
            raise ValueError(message)
        if n == 0:
            return np.zeros(pictures.shape, np.int16)
        device = self.surrogate.device
        x = from_bytes(pictures, device)
        radii = torch.tensor([np.floor(b.epsilon) for b in briefs], device=device)
        epsilon = _spread(radii.to(torch.float32), x, [b.shaped for b in briefs]) / LEVELS
        proposal = self._propose(x, epsilon, briefs)
        if proposal.shape != x.shape:
            message = f"{self.name} returned {tuple(proposal.shape)} for {tuple(x.shape)}"
            raise ValueError(message)
        bound = epsilon if self.bounded else budget(WIDEST)
        return to_levels(project(torch.nan_to_num(proposal.float()), x, bound))


def _spread(radii: torch.Tensor, x: torch.Tensor, shaped: Sequence[bool]) -> torch.Tensor:
    """Each picture's radius at each of its pixels, in whole steps ``[N, 1, G, G]``."""
    whole = radii.reshape(-1, 1, 1, 1).expand_as(x[:, :1])
    if not any(shaped):
        return whole
    chosen = torch.tensor(shaped, device=x.device).reshape(-1, 1, 1, 1)
    less = (whole * masking.share(x)).round().clamp(min=1).minimum(whole)
    return torch.where(chosen, less, whole)
