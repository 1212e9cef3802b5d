"""The real method with a schedule that takes milliseconds, where its strength is not the point."""

from __future__ import annotations

from typing import ClassVar

from photoward.models.methods.descent import Schedule
from photoward.models.methods.sem import SEM


class Quick(SEM):
    """SEM of two steps."""

    standard: ClassVar[Schedule] = Schedule(steps=2, samples=1)
