"""How long the stages of one photo took, and when they were.

Measured once; the photo, the metrics and the trace tell the same. Knows none of them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Lap:
    """One stage."""

    stage: str
    ended: float
    """Seconds since the epoch."""
    seconds: float


class Laps(list[Lap]):
    """Stages in the order in which they ended."""

    def add(self, seconds: Mapping[str, float]) -> None:
        """Stages that have ended one after the other, the last of them now."""
        ended = time.time()
        fresh = []
        for stage, spent in reversed(list(seconds.items())):
            fresh.append(Lap(stage, ended, spent))
            ended -= spent
        self.extend(reversed(fresh))

    def seconds(self) -> dict[str, float]:
        """What each took."""
        return {lap.stage: round(lap.seconds, 4) for lap in self}
