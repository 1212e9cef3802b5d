"""Supervision of programs: started in order, restarted after an exit, stopped in reverse order.

Programs cannot outlive the supervisor: on Linux the kernel kills them with it.
"""

from __future__ import annotations

import contextlib
import signal
import time
from typing import TYPE_CHECKING

from photoward.api.cli.service.process import ProgramProcess
from photoward.core.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from photoward.api.cli.service.process import Program

TICK_S = 0.1
REPORT_INTERVAL_S = 30.0
"""Seconds between two messages while a program is not ready."""


class Supervisor:
    """Keeps programs running until SIGINT, SIGTERM or SIGHUP; a second signal stops at once."""

    def __init__(
        self,
        stages: Sequence[Sequence[Program]],
        *,
        environment: Mapping[str, str],
        tell: Callable[[str], None],
        logs: Path | None = None,
        backoff_s: tuple[float, float] = (1.0, 30.0),
    ) -> None:
        """Take the programs; nothing runs yet.

        Args:
            stages: groups of programs; a group starts when all before it are ready, and stops
                when all after it are gone.
            environment: of every program.
            tell: receives a line for a person on every unexpected event.
            logs: folder for ``NAME.log``; None: programs write to this process's own output.
            backoff_s: the first and the longest delay before a restart, in seconds.
        """
        self._tell = tell
        self._longest_delay_s = backoff_s[1]
        self._stages = [
            [
                ProgramProcess(
                    program,
                    environment,
                    logs / f"{program.name}.log" if logs else None,
                    backoff_s[0],
                )
                for program in stage
            ]
            for stage in stages
        ]
        self._signals = 0

    def run(self, when_ready: Callable[[], None]) -> None:
        """Start everything, call ``when_ready``, keep it running until a signal, stop it.

        Raises:
            Unavailable: a program ended or hung before it was ready for the first time.
        """
        with self._caught_signals():
            try:
                self._start()
                if not self._signals:
                    when_ready()
                while not self._signals:
                    self._mend()
                    time.sleep(TICK_S)
            finally:
                self._stop()

    def _start(self) -> None:
        for stage in self._stages:
            if self._signals:
                return
            for child in stage:
                child.start()
            for child in stage:
                self._await(child)

    def _await(self, child: ProgramProcess) -> None:
        program, began, reported = child.program, time.monotonic(), 0.0
        while program.ready is not None and not self._signals and not program.ready():
            status = child.ended()
            waited = time.monotonic() - began
            late = waited > program.ready_within_s
            if status is not None or late:
                happened = f"ended with status {status}" if status is not None else "hangs"
                raise Unavailable(
                    f"{program.name} did not start, it {happened}.\n{child.log_tail()}".rstrip()
                )
            if waited > reported + REPORT_INTERVAL_S:
                reported = waited
                self._tell(f"{program.name} is not ready after {waited:.0f} s; still waiting.")
            time.sleep(TICK_S)

    def _mend(self) -> None:
        for child in (child for stage in self._stages for child in stage):
            child.truncate_long_log()
            status = child.ended()
            if child.due is not None and child.due <= time.monotonic():
                child.start()
            elif status is not None:
                delay = child.schedule(self._longest_delay_s)
                self._tell(
                    f"{child.program.name} ended with status {status}; again in {delay:g} s."
                )

    def _stop(self) -> None:
        for stage in reversed(self._stages):
            for child in stage:
                child.terminate()
            began = time.monotonic()
            while waiting := [child for child in stage if child.running()]:
                for child in waiting:
                    if self._signals > 1 or time.monotonic() - began > child.program.grace_s:
                        child.kill()
                time.sleep(TICK_S / 2)

    @contextlib.contextmanager
    def _caught_signals(self) -> Iterator[None]:
        def count(_number: int, _frame: object) -> None:
            self._signals += 1

        caught = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, count) for number in caught}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
