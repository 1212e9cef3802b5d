"""How long the stages of one photo took, and when they ended.

Each stage is measured once; the item, the metrics and the trace report the same figures.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class StageTiming:
    """One stage."""

    stage: str
    ended: float
    """Seconds since the epoch."""
    seconds: float


class StageTimings(list[StageTiming]):
    """Stages in the order in which they ended."""

    def record(self, seconds: Mapping[str, float]) -> None:
        """Add stages that ran one after the other, the last of which has just ended."""
        ended = time.time()
        fresh = []
        for stage, spent in reversed(list(seconds.items())):
            fresh.append(StageTiming(stage, ended, spent))
            ended -= spent
        self.extend(reversed(fresh))

    def seconds(self) -> dict[str, float]:
        """Seconds by stage."""
        return {timing.stage: round(timing.seconds, 4) for timing in self}
