"""Runs the same work in several processes at once."""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from photoward.core.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

READY_S = 60.0


@dataclass(frozen=True)
class Cost:
    """Time that the work took, in seconds."""

    wall_s: float
    processor_s: float
    """Processor time of the processes; without that of servers."""


def run_parallel(count: int, prepare: Callable[..., Callable[[int], None]], *given: Any) -> Cost:  # noqa: ANN401  # whatever it takes
    """Run ``prepare(*given)`` in ``count`` processes, then start the returned work in all at once.

    The work gets the process's number, from 0. All arguments must be picklable.

    Raises:
        Unavailable: one of them failed.
    """
    context = multiprocessing.get_context("forkserver")  # imports once, and holds no connection
    context.set_forkserver_preload([prepare.__module__])
    gate, spent = context.Barrier(count + 1), context.SimpleQueue()
    processes = [
        context.Process(target=_run, args=(gate, spent, prepare, number, given))
        for number in range(count)
    ]
    for process in processes:
        process.start()
    gate.wait(READY_S)
    began = time.perf_counter()
    for process in processes:
        process.join()
    wall = time.perf_counter() - began
    if any(process.exitcode for process in processes):
        raise Unavailable("A process failed; see above.")
    return Cost(wall, sum(spent.get() for _ in processes))


def _run(gate: Any, spent: Any, prepare: Callable[..., Any], number: int, given: Any) -> None:  # noqa: ANN401  # multiprocessing's
    work = prepare(*given)
    gate.wait(READY_S)
    before = time.process_time()
    work(number)
    spent.put(time.process_time() - before)
