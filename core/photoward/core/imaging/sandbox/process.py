"""A decoder that outlives its child processes: restarts one that died and opens again what it held.

A picture that brings two children down is refused; pictures beside it do not notice.
"""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from photoward.core.errors import BadInput, PhotowardError, Unavailable
from photoward.core.imaging.sandbox.child_process import ChildCrashed, ChildProcess, ChildTimedOut
from photoward.core.imaging.sandbox.protocol import OUT_OF_MEMORY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from photoward.core.imaging.header import Header

    Answer = tuple[dict[str, Any], list[bytearray]]

_INPUT_ERRORS = {
    "corrupt",
    "too_many_pixels",
    "truncated",
    "unsupported_animation",
    "unsupported_colour_mode",
    "unsupported_output",
}


_CRASHES = {
    -number
    for number in (
        signal.SIGABRT,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGSEGV,
        signal.SIGSYS,
        signal.SIGTRAP,
    )
}
"""Exit codes of a decoder that a file brings down. Others are of who ended the child, or ours."""


class _OutOfMemory(Exception):  # noqa: N818  # it says what happened
    """The child had not enough memory, perhaps for what else it holds."""


@dataclass
class HeldImage:
    """A picture that a child has open, with all that is needed to open it again."""

    number: int
    data: bytes
    header: Header
    grid: int
    size: tuple[int, int]
    """Width and height in which it leaves."""
    box: tuple[float, float, float, float] | None
    """The part of it that is shown; None: all."""
    most_pixels: float
    """That it may have, all frames together."""
    finished: int = 0
    """Pixels in which it leaves, all frames together."""
    digest: str = ""
    generation: int = -1
    """Which child of the decoder, counted from 0, has it open; -1: none."""

    @property
    def pixels(self) -> int:
        """How many the picture has."""
        return self.header.width * self.header.height


class DecoderProcess:
    """One child process at a time, started when needed; calls are serialised.

    Args:
        start: makes a child; must run in a thread that outlives it.
        timeout_s: longest time for one request.
    """

    def __init__(self, start: Callable[[], ChildProcess], timeout_s: float) -> None:
        self.load = 0
        """Pixels of the pictures that are meant for this decoder; the pool keeps count."""
        self._start = start
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._child: ChildProcess | None = None
        self._generation = 0
        self._dropped: list[int] = []
        self._closed = False

    @property
    def pid(self) -> int | None:
        """Of the child, if one runs."""
        return None if self._child is None else self._child.pid

    def open(self, held: HeldImage) -> Answer:
        """Decode a picture. Raises as ``finish`` does."""
        with self._lock:
            return self._retry_alone(lambda: self._open(held), "corrupt")

    def finish(
        self,
        held: HeldImage,
        blobs: Sequence[bytes],
        max_blob: int,
        **options: Any,  # noqa: ANN401  # JSON
    ) -> Answer:
        """Add noise and encode.

        Raises:
            BadInput: the picture's own fault: it cannot be decoded or written, took too much
                processor time or memory, or brought two children down.
            PhotowardError: ``postcondition``; or ``timed_out`` or ``internal_error``: ours.
            Unavailable: no child can be started.
        """

        def work() -> Answer:
            if held.generation != self._generation:
                self._open(held)
            return self._ask(held, "finish", blobs, max_blob, options)

        with self._lock:
            return self._retry_alone(work, "unsupported_output")

    def drop(self, held: HeldImage) -> None:
        """Forget a picture: now if the child is idle, else with its next request."""
        self._dropped.append(held.number)
        if held.generation != self._generation or not self._lock.acquire(blocking=False):
            return
        try:
            self._ask(held, "close", (), 0, {})
        except (ChildCrashed, ChildTimedOut):
            self._replace()
        finally:
            self._lock.release()

    def close(self) -> None:
        """End the child for good, once it is idle."""
        with self._lock:
            self._closed = True
            self._replace()

    def _retry_alone(self, work: Callable[[], Answer], too_large: str) -> Answer:
        """Do it; if the child breaks down, once more in a fresh one that holds nothing else.

        So neither a crash from outside nor the memory of others is blamed on the picture.
        """
        for last in (False, True):
            try:
                return work()
            except ChildTimedOut:
                self._replace()
                detail = f"The picture was not done after {self._timeout_s:g} s."
                raise PhotowardError("timed_out", detail) from None
            except ChildCrashed:
                code = self._bury()
                if last or code == -signal.SIGXCPU:
                    raise _verdict(code) from None
            except _OutOfMemory as error:
                self._replace()
                if last:
                    raise BadInput(too_large, str(error)) from None
        raise AssertionError  # the second round returns or raises

    def _open(self, held: HeldImage) -> Answer:
        options = {
            "header": asdict(held.header),
            "grid": held.grid,
            "size": held.size,
            "box": held.box,
            "most_pixels": held.most_pixels,
        }
        answer = self._ask(held, "open", (held.data,), held.grid**2 * 3, options)
        if held.digest and answer[0].get("digest") != held.digest:
            raise PhotowardError("internal_error", "Decoding twice gave two results.")
        held.generation = self._generation
        return answer

    def _ask(
        self,
        held: HeldImage,
        do: str,
        blobs: Sequence[bytes],
        max_blob: int,
        options: dict[str, Any],
    ) -> Answer:
        dropped = [self._dropped.pop() for _ in range(len(self._dropped))]
        message = {"do": do, "handle": held.number, "with": options, "drop": dropped}
        answer = self._running().request(
            message, blobs, deadline=time.monotonic() + self._timeout_s, max_blob=max_blob
        )
        code, detail = answer[0].get("error"), str(answer[0].get("detail"))
        if code is None:
            return answer
        if code == OUT_OF_MEMORY:
            raise _OutOfMemory(detail)
        if code in _INPUT_ERRORS:
            raise BadInput(code, detail)
        if code == "postcondition":
            raise PhotowardError(code, detail)
        raise PhotowardError("internal_error", f"A decoder process failed: {detail}.")

    def _running(self) -> ChildProcess:
        if self._closed:
            raise Unavailable("The decoder pool is closed.")
        if self._child is None:
            self._child = self._start()
        return self._child

    def _bury(self) -> int:
        """The exit code of a child that is gone; the next request starts another."""
        code = 0 if self._child is None else self._child.end()
        self._replace()
        return code

    def _replace(self) -> None:
        """The next request starts a child."""
        if self._child is not None:
            self._child.kill()
            self._child = None
        self._generation += 1  # what was held is held no more
        self._dropped.clear()


def _verdict(code: int) -> PhotowardError:
    """Whose fault it is that a child ended with this exit code."""
    if code == -signal.SIGXCPU:
        return BadInput("too_costly", "The photo takes too much processor time.")
    if code in _CRASHES:
        return BadInput("corrupt", "The photo crashes its decoder.")
    return PhotowardError("internal_error", f"A decoder process ended ({code}).")
