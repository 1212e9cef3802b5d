"""A file that is touched while a worker process gets on, for whoever starts anew what is stuck.

Says nothing of ledger, store or broker: to start a worker anew mends none of them; nor of a batch
that hangs, whose process ends by itself.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

EVERY_S = 5.0


class Heartbeat:
    """Touches a file every few seconds.

    Args:
        path: the file; None: nobody looks at one.
        every_s: seconds between two beats.
    """

    def __init__(self, path: Path | None, *, every_s: float = EVERY_S) -> None:
        self._path = path
        self._every_s = every_s
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

    def _run(self) -> None:
        while not self._ended.wait(self._every_s):
            if self._path is not None:
                self._path.touch()
