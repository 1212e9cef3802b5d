"""Whether there is room for one more upload, asked before its body is read."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from anyio import to_thread

from photoward.api.ingest.tenant_slots import Seats
from photoward.core.errors import Overloaded, Unavailable
from photoward.core.jobs import Waiting

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from photoward.core.ports import Ledger
    from photoward.core.settings import Settings

FRESH_S = 0.5
"""How long the ledger's answer serves: a flood must not become a flood of queries."""


ARCHIVES = 4
"""Taken in at a time, by one process."""

LISTENERS = 200
"""Of events, likewise: each asks the ledger every second. Half of them are for one tenant."""


class Admission:
    """The queue's depth against its limits."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self._ledger = ledger
        self._settings = settings
        self._asked_at = float("-inf")
        self._waiting = Waiting()
        self._lock = asyncio.Lock()
        self._archives = Seats("You have as many archives being taken in as you may.")
        self._listeners = Seats("You listen to as many events as you may.")

    async def check(self) -> None:
        """Let the caller pass.

        Raises:
            Overloaded: as many items or megapixels are queued as may be.
            Unavailable: the ledger is away, or a disk has too little room.
        """
        async with self._lock:
            if time.monotonic() - self._asked_at > FRESH_S:
                self._waiting = await to_thread.run_sync(self._ask)
                self._asked_at = time.monotonic()
        self._compare(self._waiting)

    def check_now(self) -> None:
        """The same for a thread that hands in many, with a fresh look each time."""
        self._compare(self._ask())

    def one_archive(self, tenant: str) -> AbstractContextManager[None]:
        """One of a few archives that may be taken in at a time: each holds a photo in memory.

        Raises:
            Overloaded: the tenant has as many being taken in as it may.
        """
        return self._archives.one(tenant, ARCHIVES)

    def check_listener(self, tenant: str) -> None:
        """Raises Overloaded: the tenant listens to as many events as it may."""
        self._listeners.check(tenant, LISTENERS)

    def one_listener(self, tenant: str) -> AbstractContextManager[None]:
        """Somebody listens. Raises as ``check_listener`` does."""
        return self._listeners.one(tenant, LISTENERS)

    def require_space(self) -> None:
        """Raises Unavailable (``storage_full``): a disk of this machine has too little room."""
        for folder in self._settings.folders:
            with suppress(FileNotFoundError):  # who needs it says so
                found = os.statvfs(folder)
                if found.f_bavail * found.f_frsize < self._settings.upload_min_free_bytes:
                    raise Unavailable("The disk has too little free space.", code="storage_full")

    def _ask(self) -> Waiting:
        self.require_space()
        return sum(self._ledger.waiting().values(), Waiting())

    def _compare(self, waiting: Waiting) -> None:
        if waiting.items >= self._settings.queue_max_items:
            raise Overloaded("The limit of queued photos is reached.")  # not all are the caller's
        if waiting.megapixels >= self._settings.queue_max_megapixels:
            raise Overloaded("The limit of queued megapixels is reached.")
