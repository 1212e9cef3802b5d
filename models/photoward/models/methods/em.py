"""Error-minimising noise (Huang et al., ICLR 2021, arXiv 2101.04898), a baseline.

The serving step of its sample-wise form against a finished surrogate: sign steps that descend the
objective of the plain picture, whole and centred, without views or jitter: twenty of ε/10, as the
paper has it, which is twice the passes of the network that SEM makes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from photoward.models import views
from photoward.models.methods.sem import PAPER, SEM

if TYPE_CHECKING:
    import torch

    from photoward.models.methods.sem import Loss, Schedule
    from photoward.models.surrogates.surrogate import Surrogate

SCHEDULE = replace(PAPER, steps=20, samples=1, step_size=0.8)


class EM(SEM):
    """SEM's descent on the plain picture."""

    name: ClassVar[str] = "em"
    version: ClassVar[str] = "em-1"

    def __init__(self, surrogate: Surrogate, schedule: Schedule | None = None) -> None:
        super().__init__(surrogate, schedule or SCHEDULE)

    def _view(self, draws: torch.Tensor, grid: int, aspect: torch.Tensor) -> views.Views:
        del draws
        return views.centred(size=self.surrogate.card.size, grid=grid, aspect=aspect)

    def _seen(
        self, shown: torch.Tensor, _jitter: torch.Tensor, _radius: torch.Tensor, _: Loss
    ) -> torch.Tensor:
        return shown
