"""The process of one program: start, exit status, restart delay, end.

A process runs in a group of its own, so that a terminal's Ctrl-C reaches only the supervisor, and
on Linux the kernel ends it with the process that started it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from photoward.api.cli.service import log_files
from photoward.core.lifeline import die_with

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

STABLE_S = 30.0
"""After so many seconds a restart has the first delay again."""


@dataclass(frozen=True)
class Program:
    """A command, when it counts as started, and how long it may take to stop."""

    name: str
    command: Sequence[str]
    ready: Callable[[], bool] | None = None
    """Whether it is ready; None: as soon as it runs."""
    ready_within_s: float = 300.0
    """Seconds; long, as the machine may be busy. An early exit is noticed at once."""
    grace_s: float = 5.0
    """Seconds between SIGTERM and SIGKILL."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Its variables besides those of all programs."""


class ProgramProcess:
    """The process of a program, and its successors after unexpected ends."""

    def __init__(
        self,
        program: Program,
        environment: Mapping[str, str],
        log: Path | None,
        first_delay_s: float,
    ) -> None:
        self.program = program
        self._environment = environment
        self._log = log
        self._first_delay_s = self.delay_s = first_delay_s
        self._started = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self.due: float | None = None
        """Monotonic time of the next start; None: it runs, or was never started."""

    def start(self) -> None:
        """Run the program in a process group of its own, its output in the log."""
        self.due, self._started = None, time.monotonic()
        with self._output() as output:
            # preexec_fn is safe here: the supervisor has one thread.
            self._process = subprocess.Popen(  # noqa: S603  # commands come from the code
                self.program.command,
                env={**self._environment, **self.program.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=0,
                preexec_fn=functools.partial(die_with, os.getpid()),  # noqa: PLW1509  # this process has one thread
            )

    def ended(self) -> int | None:
        """The exit status of a process that has ended, once, its group killed; else None."""
        if self._process is None or self._process.poll() is None:
            return None
        self.kill()
        status, self._process = self._process.returncode, None
        return status

    def schedule(self, longest_delay_s: float) -> float:
        """Set when to start again; seconds from now, doubling from one short life to the next."""
        if time.monotonic() - self._started >= STABLE_S:
            self.delay_s = self._first_delay_s
        delay = self.delay_s
        self.due = time.monotonic() + delay
        self.delay_s = min(2 * delay, longest_delay_s)
        return delay

    def terminate(self) -> None:
        """Send SIGTERM to the process, not to its group: it ends its own children."""
        self.due = None
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """Kill what is left of the process group."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def running(self) -> bool:
        """Whether the process still runs."""
        return self.ended() is None and self._process is not None

    def truncate_long_log(self) -> None:
        """Rotate the log when it is long."""
        if self._log is not None:
            log_files.truncate_long(self._log)

    def log_tail(self) -> str:
        """The end of the log."""
        if self._log is None or not self._log.exists():
            return ""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-12:])

    def _output(self) -> contextlib.AbstractContextManager[IO[bytes] | None]:
        return contextlib.nullcontext() if self._log is None else self._log.open("ab")
