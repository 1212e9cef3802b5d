"""A limit on things done at a time, shared among tenants so that none can use all of it."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from photoward.core.errors import Overloaded

if TYPE_CHECKING:
    from collections.abc import Iterator


class TenantSlots:
    """Each tenant may hold at most half of the slots that the others leave.

    So there is one left for whoever comes first, however many hold on to theirs.

    Args:
        detail: the refusal's sentence; it must say nothing of other tenants.
    """

    def __init__(self, detail: str) -> None:
        self._detail = detail
        self._held: Counter[str] = Counter()
        self._lock = threading.Lock()

    def check(self, tenant: str, limit: int) -> None:
        """Raises Overloaded: of ``limit`` slots there is none for the tenant now."""
        with self._lock:
            self._require(tenant, limit)

    @contextmanager
    def acquire(self, tenant: str, limit: int) -> Iterator[None]:
        """Hold one of ``limit`` slots until the end of the block. Raises Overloaded."""
        with self._lock:
            self._require(tenant, limit)
            self._held[tenant] += 1
        try:
            yield
        finally:
            with self._lock:
                self._held[tenant] -= 1
                self._held += Counter()  # forgets tenants that hold none

    def _require(self, tenant: str, limit: int) -> None:
        own = self._held[tenant]
        if 2 * own >= limit - (self._held.total() - own):
            raise Overloaded(self._detail)
