"""The embedded service as a user runs it, its processes, and many uploads at once."""

from __future__ import annotations

import contextlib
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil

from photoward.api.cli.client import Client, Refusal
from photoward.api.cli.service.embedded import running_service
from photoward.core.errors import Unavailable
from tests.support.servers import short_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

UPLOADERS = 4
START_S = 90.0
"""Longest that a part may be away: the supervisor waits up to half a minute before a restart."""


@dataclass(frozen=True)
class Upload:
    """One picture to send."""

    data: bytes
    media_type: str = "image/png"
    label: str | None = "my cat"
    output_format: str | None = None
    method: str | None = None
    batch: str | None = None


@dataclass(frozen=True)
class Stack:
    """A running service."""

    url: str
    folder: Path
    supervisor: psutil.Process

    def part(self, name: str) -> psutil.Process:
        """The process of ``queue``, ``worker`` or ``api``; waits while it is being restarted."""
        return self.parts(name, 1)[0]

    def parts(self, name: str, count: int) -> list[psutil.Process]:
        """The same where there are several."""
        wanted = {"queue": r"-server ", "worker": r" worker$", "api": r" serve$"}[name]
        return _children(self.supervisor, wanted, count)

    def pool_process(self) -> psutil.Process:
        """The process that holds the surrogate."""
        return _children(self.part("worker"), r" worker$", 1)[0]

    def kill(self, process: psutil.Process) -> None:
        """A crash."""
        process.send_signal(signal.SIGKILL)

    def upload(self, uploads: Sequence[Upload], *, patient: bool = False) -> list[str]:
        """Send pictures side by side; their ids in order.

        Args:
            uploads: what to send.
            patient: whether to try again while the service is away.
        """
        with ThreadPoolExecutor(UPLOADERS) as threads:
            return list(threads.map(lambda one: self._send(one, patient=patient), uploads))

    def ended(self, ids: Sequence[str], within_s: float) -> list[dict[str, Any]]:
        """The items when all have ended; fails the test when they have not in time."""
        until = time.monotonic() + within_s
        items: dict[str, dict[str, Any]] = {}
        while True:
            try:
                with Client(self.url) as client:
                    for item_id in [one for one in ids if one not in items]:
                        left = max(until - time.monotonic(), 0.0)
                        items[item_id] = client.ended(item_id, left)
                return [items[item_id] for item_id in ids]
            except Unavailable:
                late = f"{len(items)} of {len(ids)} ended in {within_s:g} s"
                assert time.monotonic() < until, late
                time.sleep(0.2)

    def content(self, item_id: str) -> bytes:
        """A protected file."""
        with Client(self.url) as client:
            return client.content(item_id)

    def _send(self, upload: Upload, *, patient: bool) -> str:
        until = time.monotonic() + 60
        while True:
            try:
                with Client(self.url) as client:
                    item = client.submit(
                        upload.data, upload.media_type, label=upload.label,
                        output_format=upload.output_format, method=upload.method,
                        batch=upload.batch,
                    )  # fmt: skip
                return str(item["id"])
            except (Unavailable, Refusal) as error:
                away = isinstance(error, Unavailable) or error.status == 503
                if not (patient and away) or time.monotonic() > until:
                    raise
                time.sleep(0.1)


@contextmanager
def stack(folder: Path, workers: int = 1, /, **environment: str) -> Iterator[Stack]:
    """Run ``photoward up`` on a folder; afterwards nothing of it may be left running."""
    before = set(psutil.Process().children())
    # What most tests show is not the noise, and sem alone needs no pretrained networks.
    with running_service(
        folder, workers, **{"PHOTOWARD_ENGINE_METHOD": "sem", **environment}
    ) as url:
        (supervisor,) = (
            child for child in psutil.Process().children()
            if child not in before and "up" in child.cmdline()
        )  # fmt: skip
        yield Stack(url, folder, supervisor)
        family = supervisor.children(recursive=True)
    gone, alive = psutil.wait_procs(family, timeout=5)
    assert gone
    assert not alive, alive


@contextmanager
def fresh_stack(workers: int = 1, /, **environment: str) -> Iterator[Stack]:
    """A service on an empty folder whose path leaves room for a socket's name."""
    with short_folder() as folder, stack(folder / "data", workers, **environment) as made:
        yield made


def _children(parent: psutil.Process, wanted: str, count: int) -> list[psutil.Process]:
    """The children whose command line fits, before long: they may be being restarted."""
    until = time.monotonic() + START_S
    while True:
        found = []
        for child in parent.children():
            with contextlib.suppress(psutil.Error):
                if re.search(wanted, " ".join(child.cmdline())):
                    found.append(child)
        if len(found) >= count:
            return found
        assert time.monotonic() < until, wanted
        time.sleep(0.02)
