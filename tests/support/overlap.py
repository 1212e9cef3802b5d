"""Two transactions that overlap on purpose: one is slow behind a statement, the other begins."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from photoward.core.ledger import Ledger

SLOW_S = 0.3
"""Long enough for who comes second to wait for a lock."""

Found = TypeVar("Found")


def beginning(call: Callable[[], Found]) -> Future[Found]:
    """Make a call in a thread of its own, in this context; its outcome, once it is there."""
    future: Future[Found] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except Exception as error:  # noqa: BLE001  # told by the future
            future.set_exception(error)

    threading.Thread(target=copy_context().run, args=(run,), daemon=True).start()
    return future


@contextmanager
def paused(ledger: Ledger, begins: str) -> Iterator[None]:
    """The first call in the block is slow behind a statement; the block's end waits until it is.

    Args:
        ledger: that the call is made of.
        begins: how the statement begins: a verb and, anywhere in it, a table.
    """
    verb, table = begins.split()
    there = threading.Event()

    def slow(*told: Any) -> None:  # noqa: ANN401  # SQLAlchemy's own
        statement = str(told[2]).lstrip()
        if statement.startswith(verb) and table in statement and not there.is_set():
            there.set()
            time.sleep(SLOW_S)

    event.listen(ledger._engine, "after_cursor_execute", slow)  # for good: it is slow once only
    yield
    assert there.wait(10), f"nobody came to {begins}"
