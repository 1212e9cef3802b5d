"""How many photos make a batch, learned from how long batches took; no clock, no ledger.

A batch of n photos takes about a·n + b seconds, and a and b are another machine's or another
method's everywhere. So each group key has a fit of its own over the last that were worked
off, and the next gets as many as shall fit the aim.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass
from itertools import combinations, islice
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

REMEMBERED = 32
"""Batches of a group key: what came before is forgotten, what is odd among them is outvoted."""

FIRST = 8
"""Photos in the first batch of a group key that was not seen yet."""

ALIKE = 8
"""After so many batches of one size another one is tried."""


@dataclass(frozen=True)
class CostModel:
    """What batches of a group key cost: about ``item_seconds · n + fixed_seconds``."""

    size: int
    """Photos in the next one, a power of two unless it is the most: passes through a network have
    16 or 256 pictures (decision 6), and numbers in between would pay for padding."""
    item_seconds: float
    """a: what one photo more takes."""
    fixed_seconds: float
    """b: what a batch takes besides."""


class BatchSizer:
    """The sizes of batches by group key; safe to use from several threads.

    Args:
        target_seconds: how long a batch shall take at most.
        most: photos in a batch, however fast they are.
    """

    def __init__(self, target_seconds: float, most: int) -> None:
        self._aim_s = target_seconds
        self._most = most
        self._seen: dict[str, deque[tuple[int, float]]] = {}
        self._memory_limit: dict[str, int] = {}
        self._sizes: dict[str, int] = {}
        self._lock = threading.Lock()

    @property
    def first(self) -> int:
        """Photos in a batch of a group key that was not seen yet."""
        return min(FIRST, self._most)

    def sizes(self) -> dict[str, int]:
        """Photos in the next batch of each group key that was seen."""
        with self._lock:
            return dict(self._sizes)

    def record(
        self, group_key: str, count: int, seconds: float, memory_limit: int | None = None
    ) -> CostModel:
        """Take note of a batch.

        Args:
            group_key: of the items in it: what may run together has the same.
            count: photos in it, at least one.
            seconds: what it took by itself.
            memory_limit: how many of them the accelerator's memory held, if not all. It holds for
                this process: a card does not grow.
        """
        with self._lock:
            seen = self._seen.setdefault(group_key, deque(maxlen=REMEMBERED))
            seen.append((count, seconds))
            if memory_limit is not None:
                self._memory_limit[group_key] = max(
                    min(memory_limit, self._memory_limit.get(group_key, memory_limit)), 1
                )
            item_seconds, fixed_seconds = fit_line(seen)
            most = min(self._most, self._memory_limit.get(group_key, self._most))
            size = self._sizes[group_key] = _next(
                seen, self._reach(item_seconds, fixed_seconds), most
            )
            return CostModel(size, item_seconds, fixed_seconds)

    def _reach(self, item_seconds: float, fixed_seconds: float) -> float:
        """How many photos fit the aim."""
        if item_seconds > 0:
            return (self._aim_s - fixed_seconds) / item_seconds
        return math.inf if fixed_seconds <= self._aim_s else 0


def fit_line(seen: Sequence[tuple[int, float]]) -> tuple[float, float]:
    """Slope and height at 0 of the line through points, neither below 0.

    The median of the slopes between all pairs (Theil 1950, Sen 1968): a quarter of the points may
    be anything. Points above one another, as a full queue gives, say that the height is 0.
    """
    slopes = [(t - s) / (n - m) for (m, s), (n, t) in combinations(seen, 2) if n != m]
    slope = max(median(slopes or [t / n for n, t in seen]), 0.0)
    return slope, max(median(t - slope * n for n, t in seen), 0.0)


def _next(seen: Sequence[tuple[int, float]], reach: float, most: int) -> int:
    """The power of two within reach, at most twice what was tried.

    Who does the same again and again cannot tell a from b, and now and then tries half of it,
    which costs little; of one photo there is no half, so two.
    """
    reach = min(reach, 2 * max(count for count, _ in seen), most)
    size = most if reach >= most else 2 ** int(math.log2(max(reach, 1)))
    of_late = {count for count, _ in islice(reversed(seen), ALIKE)}
    if len(seen) >= ALIKE and of_late == {size} and most > 1:
        return size // 2 or 2
    return size
