"""Both on one picture: the label's filter first, then noise within ±ε of the filtered picture.

They fail in different places: a trainer that resists one may still fall for the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from photoward.models.methods.base import Brief, Method
from photoward.models.methods.descent import Descent
from photoward.models.methods.label_filter import LabelFilter
from photoward.models.pixels import from_bytes, to_levels

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from photoward.models.methods.spec import MethodSpec
    from photoward.models.perceptual_budget import Budget
    from photoward.models.surrogates.pretrained import NetworkSet
    from photoward.models.surrogates.surrogate import Surrogate


class FilteredDescent(Method):
    """ε bounds what the descent adds to the filtered picture, not the whole change."""

    bounded: ClassVar[bool] = False

    def __init__(
        self, spec: MethodSpec, surrogate: Surrogate, networks: NetworkSet | None = None
    ) -> None:
        super().__init__(spec, surrogate, networks)
        self.first = LabelFilter(spec, surrogate)
        self.second = Descent(spec, surrogate, networks)

    def stream_bytes(self, grid: int) -> int:
        """The descent's."""
        return self.second.stream_bytes(grid)

    def label_bytes(self, grid: int) -> int:
        """The filter's."""
        return self.first.label_bytes(grid)

    def _propose(self, limits: Budget, briefs: Sequence[Brief]) -> torch.Tensor:
        samples = to_levels(limits.pictures)
        filtered = samples + self.first.perturb(samples.astype(np.uint8), briefs)
        noise = self.second.perturb(filtered.astype(np.uint8), briefs)
        return from_bytes(filtered + noise - samples, limits.pictures.device)
