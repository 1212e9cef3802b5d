"""Hints that leave after the answer: nobody waits for the broker, and nothing breaks without it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from photoward.core.ports import Hints

MAX_PENDING = 256
"""Further hints are dropped: those before them already say that there is work."""


class Announcer:
    """Gives hints in two threads of its own."""

    def __init__(self, hints: Hints) -> None:
        self._hints = hints
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="hint")
        self._room = threading.BoundedSemaphore(MAX_PENDING)

    def announce(self, item_id: str) -> None:
        """Return at once; the hint goes out as soon as it can, or never."""
        if self._room.acquire(blocking=False):
            future = self._threads.submit(self._hints.hint, item_id)
            future.add_done_callback(lambda _done: self._room.release())

    def close(self) -> None:
        """Drop what has not gone out."""
        self._threads.shutdown(wait=True, cancel_futures=True)
