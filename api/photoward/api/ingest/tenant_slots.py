"""Places of which there are few, shared among tenants: none of them can take all."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from photoward.core.errors import Overloaded

if TYPE_CHECKING:
    from collections.abc import Iterator


class Seats:
    """Each tenant may have at most half of the places that the others leave.

    So there is one left for whoever comes first, however many hold on to theirs.

    Args:
        why: is told to who gets none; it must say nothing of others.
    """

    def __init__(self, why: str) -> None:
        self._why = why
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()

    def check(self, tenant: str, count: int) -> None:
        """Raises Overloaded: of ``count`` places there is none for the tenant now."""
        with self._lock:
            self._require(tenant, count)

    @contextmanager
    def one(self, tenant: str, count: int) -> Iterator[None]:
        """One of ``count``. Raises Overloaded."""
        with self._lock:
            self._require(tenant, count)
            self._taken[tenant] += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken[tenant] -= 1
                self._taken += Counter()  # forgets who has none

    def _require(self, tenant: str, count: int) -> None:
        own = self._taken[tenant]
        if 2 * own >= count - (self._taken.total() - own):
            raise Overloaded(self._why)
