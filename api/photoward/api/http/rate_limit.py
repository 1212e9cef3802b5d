"""Requests of callers without a key, at a limited rate for each network.

Each process counts for itself. A proxy's clients are told apart by ``FORWARDED_ALLOW_IPS``.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from threading import Lock

from photoward.api.http.auth_failures import network
from photoward.core.errors import Overloaded

MAX_NETWORKS = 10_000
"""That are remembered; beyond, who has been quiet for longest is forgotten."""


class RateLimit:
    """A bucket for each network: full at first, it fills up again evenly.

    Args:
        per_minute: requests of one network; as many may come at once.
    """

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._lock = Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str | None) -> None:
        """Count a request. Raises Overloaded: ``rate_limited``."""
        caller, moment = network(address), time.monotonic()
        with self._lock:
            left, since = self._left.pop(caller, (float(self._per_minute), moment))
            left = min(left + (moment - since) * self._per_minute / 60, self._per_minute)
            self._left[caller] = (left - 1 if left >= 1 else left), moment
            if len(self._left) > MAX_NETWORKS:
                self._left.popitem(last=False)
        if left < 1:
            wait_s = math.ceil((1 - left) * 60 / self._per_minute)
            raise Overloaded(
                f"{self._per_minute} files a minute can be verified; try again in {wait_s} s.",
                "rate_limited",
            )
