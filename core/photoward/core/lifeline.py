"""Ties a process's life to its parent's, so that nothing outlives what started it (Linux)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path

_SET_PDEATHSIG = 1
_PRCTL = ctypes.CDLL(None).prctl if sys.platform == "linux" else None  # loaded before any fork


def die_with(parent: int) -> None:
    """Have the kernel end this process (SIGKILL) when its parent, process ``parent``, ends.

    Strictly, when the *thread* that started this process ends. Ends at once if it already has.
    """
    if _PRCTL is None:
        return
    _PRCTL(_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the line above
        os._exit(1)


def stand_back() -> None:
    """Let this process's niceness count beside other sessions, too, if it leads one of its own.

    Linux may share processors out between sessions first (``sched_autogroup_enabled``): then
    niceness alone only says who goes first inside one.
    """
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    if nice > 0 and os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):  # no such thing here
            Path("/proc/self/autogroup").write_text(str(nice), encoding="ascii")
