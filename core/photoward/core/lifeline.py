"""Ties a process's life to its parent's, so that nothing outlives what started it (Linux)."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

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
