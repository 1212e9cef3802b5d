"""What every method is, and the envelope that none escapes.

A method proposes a perturbation; the public call is final: it checks its input, asks for the
proposal, and projects it to ε and to [0, 1] whatever came back. A method that is not bounded by ε
is projected to what a file's noise can hold instead. A method knows pictures and a surrogate; no
files, no keys, no queue.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import torch

from photoward.core.imaging.noise import WIDEST
from photoward.models.perceptual_budget import Allowed, Budget
from photoward.models.pixels import LEVELS, budget, from_bytes, project, to_levels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from photoward.core.catalogue import Strength
    from photoward.models.methods.spec import MethodSpec
    from photoward.models.surrogates.pretrained import NetworkSet
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
    eye: Strength | None = None
    """The perceptual budget's figures; None: ε everywhere and at every frequency."""
    side: int = 1200
    """Pixels of the longer side in which the picture leaves."""
    direction: NDArray[np.float32] | None = None
    """Target prototype: a unit vector in the surrogate's feature space."""
    code: tuple[int, ...] | None = None
    """Target symbols, one of each of the surrogate's alphabets; a class number is a word of one.
    A method that asks the surrogate is given exactly one of the two targets."""
    anchor: int | None = None
    """Target class of the pretrained networks."""
    label_stream: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    """The label's own pseudo-random bytes, ``method.label_bytes`` of them: the same for all
    pictures of a tenant's label."""


class Method(ABC):
    """A perturbation for batches of pictures on one working grid.

    Args:
        spec: what it is composed of.
        surrogate: the robust network.
        networks: pretrained ones; None for a spec that asks none.
    """

    bounded: ClassVar[bool] = True
    """Whether ε bounds the change of every sample."""

    def __init__(
        self, spec: MethodSpec, surrogate: Surrogate, networks: NetworkSet | None = None
    ) -> None:
        self.spec, self.surrogate, self.networks = spec, surrogate, networks

    @abstractmethod
    def stream_bytes(self, grid: int) -> int:
        """How many pseudo-random bytes one picture consumes on a working grid of this side."""

    def hastened(self) -> Self:
        """The same, made as fast as it can be, whatever its noise is then worth: to warm up."""
        return self

    def label_bytes(self, grid: int) -> int:
        """How many pseudo-random bytes of its label one picture consumes."""
        del grid
        return 0

    @abstractmethod
    def _propose(self, limits: Budget, briefs: Sequence[Brief]) -> torch.Tensor:
        """δ ``[N, 3, G, G]`` for ``limits.pictures``."""

    def perturb(
        self, pictures: NDArray[np.uint8], briefs: Sequence[Brief], grid: int | None = None
    ) -> NDArray[np.int16]:
        """The noise of a batch, in whole 8-bit steps.

        Args:
            pictures: ``[N, F, F, 3]`` RGB samples.
            briefs: one a picture.
            grid: side G of the working grid, F or a whole part of it; None: F. The finer pictures
                tell where noise hides.

        Returns:
            ``[N, G, G, 3]`` steps with ``0 ≤ picture + noise ≤ 255`` and ``|noise| ≤ ε``; of a
            method that is not bounded, ``|noise| ≤ 127``.
            A picture's noise does not depend on its neighbours in the batch.

        Raises:
            ValueError: shapes or counts that do not fit together.
        """
        n, side = len(briefs), pictures.shape[1]
        grid = grid or side
        if pictures.shape != (n, side, side, 3) or side % grid:
            message = f"expected [{n}, F, F, 3] pictures, F = k·{grid}, got {pictures.shape}"
            raise ValueError(message)
        if n == 0:
            return np.zeros((0, grid, grid, 3), np.int16)
        limits = self._limits(pictures, briefs, grid)
        proposal = self._propose(limits, briefs)
        if proposal.shape != limits.pictures.shape:
            message = f"{self.spec.name} returned {tuple(proposal.shape)}"
            raise ValueError(message)
        bound = limits.limit if self.bounded else budget(WIDEST)
        final = project(torch.nan_to_num(proposal.float()), limits.pictures, bound)
        return to_levels(final)

    def _limits(self, pictures: NDArray[np.uint8], briefs: Sequence[Brief], grid: int) -> Budget:
        device = self.surrogate.device
        epsilon = torch.tensor([np.floor(b.epsilon) for b in briefs], device=device)
        allowed = [Allowed(b.eye, b.aspect, b.side) if b.eye else None for b in briefs]
        fine = from_bytes(pictures, device)
        return Budget(fine, grid, epsilon.to(torch.float32) / LEVELS, allowed)
