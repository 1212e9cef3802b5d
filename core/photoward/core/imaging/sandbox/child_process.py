"""One child process: started, spoken to under a deadline, killed. Knows no pictures."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from photoward.core.errors import Unavailable
from photoward.core.imaging.sandbox import protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

START_S = 300.0
"""Longest wait for a child to be ready; on an idle machine it takes a second. One that was given up
too soon on a busy machine would be started again and again."""

MAX_REQUEST = 1 << 31
"""Bytes in a blob to a child."""

EXIT_WAIT_S = 2.0
"""How long a child that has closed its socket may take to end: then its exit code is its own."""


class ChildCrashed(Exception):  # noqa: N818  # it says what happened
    """The child ended, or spoke nonsense, in the middle of a request."""


class ChildTimedOut(Exception):  # noqa: N818  # it says what happened
    """The child did not answer in time."""


class ChildProcess:
    """A running child.

    Args:
        memory_mib: address space it may have.
        cpu_s: processor time that it may use on one request.

    Raises:
        Unavailable: it cannot be started.
    """

    def __init__(self, memory_mib: int, cpu_s: float) -> None:
        ours, theirs = socket.socketpair()
        arguments = (memory_mib, cpu_s, MAX_REQUEST, os.getpid())
        try:
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603  # ourselves
                    [sys.executable, "-P", "-m", "photoward.core.imaging.sandbox.server"]
                    + [str(argument) for argument in arguments],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    # Of our session, as processors may be shared out between sessions.
                    env=_environment(),
                    cwd="/",
                    process_group=0,
                )
        except OSError as error:
            ours.close()
            raise Unavailable(f"No decoder process can be started: {error}.") from error
        self._socket = ours
        try:
            self._receive(time.monotonic() + START_S, 0)
        except (ChildCrashed, ChildTimedOut) as error:
            code = self.end()
            raise Unavailable(f"A decoder process did not start (exit code {code}).") from error

    @property
    def pid(self) -> int:
        """For whoever watches over processes."""
        return self._process.pid

    def request(
        self, message: dict[str, Any], blobs: Sequence[bytes], *, deadline: float, max_blob: int
    ) -> tuple[dict[str, Any], list[bytearray]]:
        """Ask, and wait for the answer.

        Args:
            message: JSON-able.
            blobs: bytes that go with it.
            deadline: on the monotonic clock.
            max_blob: bytes that each blob of the answer may have.

        Raises:
            ChildCrashed: it is gone, or answered what is no answer.
            ChildTimedOut: the deadline passed.
        """
        try:
            self._socket.settimeout(max(deadline - time.monotonic(), 1e-3))
            protocol.send(self._socket, message, blobs)
        except TimeoutError as error:
            raise ChildTimedOut from error
        except OSError as error:
            raise ChildCrashed from error
        return self._receive(deadline, max_blob)

    def _receive(self, deadline: float, max_blob: int) -> tuple[dict[str, Any], list[bytearray]]:
        try:
            return protocol.receive(self._socket, max_blob, deadline)
        except TimeoutError as error:
            raise ChildTimedOut from error
        except (OSError, EOFError, protocol.ProtocolError) as error:
            raise ChildCrashed from error

    def end(self) -> int:
        """Wait for it to end by itself, as one that crashed does, or end it; its exit code."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(EXIT_WAIT_S)
        return self.kill()

    def kill(self) -> int:
        """End it at once; its exit code."""
        self._socket.close()
        self._process.kill()
        return self._process.wait()


def _environment() -> dict[str, str]:
    """Where our code lies and how to be frugal; no secret of the parent's environment."""
    return {
        "PYTHONPATH": os.pathsep.join(str(Path(path).absolute()) for path in sys.path if path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "1",
        "LC_ALL": "C.UTF-8",
    }
