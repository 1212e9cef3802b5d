"""The real method with a schedule that takes milliseconds, where its strength is not the point."""

from __future__ import annotations

from typing import TYPE_CHECKING

from photoward.models.methods.sem import SEM, Schedule

if TYPE_CHECKING:
    from photoward.models.surrogates.surrogate import Surrogate


class Quick(SEM):
    """SEM of two steps."""

    def __init__(self, surrogate: Surrogate) -> None:
        super().__init__(surrogate, Schedule(steps=2, samples=1))
