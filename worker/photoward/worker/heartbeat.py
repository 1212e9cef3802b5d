"""A file that is touched while a worker process gets on, for whoever starts anew what is stuck.

Says nothing of ledger, store or broker: to start a worker anew mends none of them.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EVERY_S = 5.0

STUCK_S = 150.0
"""Longer than any batch may take: Celery ends its process after 120 s, unless its own loop stands,
too, as it does while the broker is away."""


class Heartbeat:
    """Touches a file every few seconds, unless a batch has been under way for too long.

    Args:
        path: the file; None: nobody looks at one.
        every_s: seconds between two beats.
        stuck_s: after so long a batch will not end any more.
    """

    def __init__(
        self, path: Path | None, *, every_s: float = EVERY_S, stuck_s: float = STUCK_S
    ) -> None:  # fmt: skip
        self._path = path
        self._every_s = every_s
        self._stuck_s = stuck_s
        self._under_way: dict[int, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin to beat. Raises OSError: the file cannot be made."""
        if self._path is not None:
            self._path.touch()
        self._thread.start()

    def stop(self) -> None:
        """End; the file goes, too."""
        self._ended.set()
        self._thread.join()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    @contextmanager
    def work(self) -> Iterator[None]:
        """What this thread does in the block has to end in time."""
        self._under_way[threading.get_ident()] = time.monotonic()
        try:
            yield
        finally:
            del self._under_way[threading.get_ident()]

    def _run(self) -> None:
        while not self._ended.wait(self._every_s):
            latest = time.monotonic() - self._stuck_s
            stuck = any(began < latest for began in list(self._under_way.values()))
            if self._path is not None and not stuck:
                self._path.touch()
