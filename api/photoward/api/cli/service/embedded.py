"""A private service for the duration of a command."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from photoward.core.errors import Unavailable
from photoward.core.lifeline import die_with

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STOP_S = 60.0


@contextlib.contextmanager
def running_service(data_dir: Path, workers: int = 1, **environment: str) -> Iterator[str]:
    """Run ``photoward up`` on a folder and a free port; yields the service's URL.

    Args:
        data_dir: the service's data folder.
        workers: number of worker processes.
        environment: variables besides this process's own.

    Raises:
        Unavailable: it did not become ready; the message contains its output.
    """
    command = [
        sys.executable,
        "-m",
        "photoward.api.cli",
        "up",
        "--data-dir",
        str(data_dir),
        "--port",
        "0",
        "--workers",
        str(workers),
    ]
    process = subprocess.Popen(  # noqa: S603  # our own command line
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
        start_new_session=True,
        preexec_fn=functools.partial(die_with, os.getpid()),  # noqa: PLW1509  # one thread so far
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        if "ready: " not in line:
            process.terminate()
            _, said = process.communicate(timeout=STOP_S)
            raise Unavailable(f"The service did not start: {(line + said).strip()}")
        yield line.split("ready: ")[1].split()[0]
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=STOP_S)
        if process.poll() is None:
            process.kill()
            process.communicate()
