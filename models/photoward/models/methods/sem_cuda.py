"""Both on one picture: CUDA's filter first, then SEM's noise within ±ε of the filtered picture.

They fail in different places: a trainer that resists one may still fall for the other. The filters
are wider than those of ``cuda`` alone, as it is for those to whom protection comes before looks: an
adversarial trainer within 8/255 does not notice the noise, only width holds it up (decision 12).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from photoward.models.methods.base import Brief, Method
from photoward.models.methods.cuda import WideCUDA
from photoward.models.methods.sem import SEM
from photoward.models.pixels import from_bytes, to_levels

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from photoward.models.methods.descent import Schedule
    from photoward.models.perceptual_budget import Budget
    from photoward.models.surrogates.pretrained import PretrainedNetwork
    from photoward.models.surrogates.surrogate import Surrogate


class SEMOverCUDA(Method):
    """ε bounds what SEM adds to the filtered picture, not the whole change."""

    name: ClassVar[str] = "sem+cuda"
    version: ClassVar[str] = f"{WideCUDA.version}+{SEM.version}"
    bounded: ClassVar[bool] = False

    def __init__(
        self,
        surrogate: Surrogate,
        networks: Sequence[PretrainedNetwork] = (),
        schedule: Schedule | None = None,
    ) -> None:
        super().__init__(surrogate, networks)
        self.first = WideCUDA(surrogate)
        self.second = SEM(surrogate, schedule=schedule)

    def stream_bytes(self, grid: int) -> int:
        """SEM's."""
        return self.second.stream_bytes(grid)

    def label_bytes(self, grid: int) -> int:
        """CUDA's."""
        return self.first.label_bytes(grid)

    def _propose(self, limits: Budget, briefs: Sequence[Brief]) -> torch.Tensor:
        samples = to_levels(limits.pictures)
        filtered = samples + self.first.perturb(samples.astype(np.uint8), briefs)
        noise = self.second.perturb(filtered.astype(np.uint8), briefs)
        return from_bytes(filtered + noise - samples, limits.pictures.device)
