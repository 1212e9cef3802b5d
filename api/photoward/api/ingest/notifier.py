"""Wake-ups for the workers, sent after the answer: no request waits for the broker."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from photoward.core.failpoints import failpoint

if TYPE_CHECKING:
    from photoward.core.queue import WakeUpSender

MIN_INTERVAL_S = 0.05
"""Between two wake-ups. One says that there is work, not which: many uploads need not as many
messages, each of which would cost a worker a query."""


class WorkerNotifier:
    """Sends wake-ups from a thread of its own: the first at once, those of a burst as one."""

    def __init__(self, wake_ups: WakeUpSender) -> None:
        self._wake_ups = wake_ups
        self._latest: str | None = None
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)
        self._thread.start()

    def notify(self, image_id: str) -> None:
        """Return at once; the wake-up is sent as soon as possible, or never."""
        with self._changed:
            self._latest = image_id
            self._changed.notify()

    def close(self) -> None:
        """Stop; the reconciler sends what was not sent."""
        self._closed.set()
        with self._changed:
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._latest or self._closed.is_set())
                image_id, self._latest = self._latest, None
            if image_id is not None:
                self._wake_ups.send(image_id)
                failpoint("notified")
                self._closed.wait(MIN_INTERVAL_S)
