"""Whether there is room for one more upload, checked before its body is read."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from anyio import to_thread

from photoward.api.ingest.tenant_slots import TenantSlots
from photoward.core.errors import Overloaded, Unavailable
from photoward.core.jobs import QueuedWork

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from photoward.core.ledger import Ledger
    from photoward.core.settings import Settings

CACHE_S = 0.5
"""How long the ledger's answer is used again: a burst of uploads must not become one of queries."""

MAX_BODIES = 4
"""Archives and manifests that one process reads at a time."""

MAX_EVENT_STREAMS = 200
"""Open at a time in one process: each asks the ledger every second."""


class Admission:
    """Compares what is queued, and the free space of disks, with their limits."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self._ledger = ledger
        self._settings = settings
        self._checked_at = float("-inf")
        self._waiting = QueuedWork()
        self._lock = asyncio.Lock()
        self._bodies = TenantSlots("You have as many archives being taken in as you may.")
        self._event_streams = TenantSlots("You listen to as many events as you may.")

    async def check(self) -> None:
        """Return if one more photo may be queued.

        Raises:
            Overloaded: as many items or megapixels are queued as may be.
            Unavailable: the ledger does not answer, or a disk has too little free space.
        """
        async with self._lock:
            if time.monotonic() - self._checked_at > CACHE_S:
                self._waiting = await to_thread.run_sync(self._query)
                self._checked_at = time.monotonic()
        self._compare(self._waiting)

    def check_now(self) -> None:
        """As ``check``, from a thread that submits many photos; never uses an older answer."""
        self._compare(self._query())

    def body_slot(self, tenant: str) -> AbstractContextManager[None]:
        """Hold one of ``MAX_BODIES``: each reads a photo or a manifest into memory.

        Raises:
            Overloaded: the tenant holds as many as it may.
        """
        return self._bodies.acquire(tenant, MAX_BODIES)

    def check_event_streams(self, tenant: str) -> None:
        """Raises Overloaded: the tenant has as many event streams open as it may."""
        self._event_streams.check(tenant, MAX_EVENT_STREAMS)

    def event_stream_slot(self, tenant: str) -> AbstractContextManager[None]:
        """Hold one of ``MAX_EVENT_STREAMS``. Raises as ``check_event_streams`` does."""
        return self._event_streams.acquire(tenant, MAX_EVENT_STREAMS)

    def require_disk_space(self) -> None:
        """Raises Unavailable (``storage_full``): a disk of this machine has too little space."""
        for folder in self._settings.folders:
            with suppress(FileNotFoundError):  # whoever writes there reports it
                found = os.statvfs(folder)
                if found.f_bavail * found.f_frsize < self._settings.upload_min_free_bytes:
                    raise Unavailable("The disk has too little free space.", code="storage_full")

    def _query(self) -> QueuedWork:
        self.require_disk_space()
        return sum(self._ledger.items.queued_work().values(), QueuedWork())

    def _compare(self, waiting: QueuedWork) -> None:
        if waiting.items >= self._settings.queue_max_items:
            raise Overloaded("The limit of queued photos is reached.")  # not all are the caller's
        if waiting.megapixels >= self._settings.queue_max_megapixels:
            raise Overloaded("The limit of queued megapixels is reached.")
