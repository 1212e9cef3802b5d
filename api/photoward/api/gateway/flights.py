"""Work that many requests wait for and that is done once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

Key = TypeVar("Key", bound="Hashable")
Value = TypeVar("Value")


class Flights(Generic[Key, Value]):
    """One task a key, however many wait for it; who stops waiting does not stop it."""

    def __init__(self) -> None:
        self._tasks: dict[Key, asyncio.Task[Value]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    async def join(
        self, key: Key, begin: Callable[[], Awaitable[Value]], timeout_s: float | None
    ) -> Value:
        """The result of the task of ``key``, begun now if there is none.

        Raises:
            TimeoutError: it takes longer; it goes on.
        """
        task = self._tasks.get(key)
        if task is None:
            task = asyncio.ensure_future(_run(begin))
            self._tasks[key] = task
            task.add_done_callback(lambda ended: self._forget(key, ended))
        async with asyncio.timeout(timeout_s):
            return await asyncio.shield(task)

    async def close(self) -> None:
        """Cancel all tasks."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self, key: Key, task: asyncio.Task[Value]) -> None:
        del self._tasks[key]
        if not task.cancelled():
            task.exception()  # seen, even if everybody has stopped waiting


class Recent(Generic[Key, Value]):
    """The values that were set last, each for its time.

    Args:
        most: number of values.
        clock: monotonic seconds.
    """

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self._most = most
        self._clock = clock
        self._values: OrderedDict[Key, tuple[Value, float]] = OrderedDict()

    def get(self, key: Key) -> Value | None:
        """The value, unless its time is over."""
        value, until = self._values.get(key, (None, 0.0))
        return value if until > self._clock() else None

    def set(self, key: Key, value: Value, seconds: float) -> None:
        """Remember a value for a time; the oldest one is forgotten for it if there are too many."""
        self._values.pop(key, None)
        self._values[key] = value, self._clock() + seconds
        if len(self._values) > self._most:
            self._values.popitem(last=False)

    def forget(self, key: Key) -> None:
        """Forget a value."""
        self._values.pop(key, None)


async def _run(begin: Callable[[], Awaitable[Value]]) -> Value:
    return await begin()
