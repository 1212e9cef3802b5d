"""Answers that come from the store piece by piece, and threads in which it is waited for.

They are not those in which the ledger is asked: so who downloads from a slow store keeps nobody
from asking how a photo stands, and no part is called away because another is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyio import to_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from anyio import CapacityLimiter

MOST_STORING = 6
"""× 25 MiB stays well under the 400 MiB that this process may take."""

MOST_AT_STORE = 40
"""As many as ask the ledger."""


async def streamed(chunks: Iterator[bytes], limiter: CapacityLimiter) -> AsyncIterator[bytes]:
    """Chunks that somebody waits for; a thread is taken for each, and none while it is sent."""
    try:
        while (chunk := await to_thread.run_sync(next, chunks, None, limiter=limiter)) is not None:
            yield chunk
    finally:
        close = getattr(chunks, "close", None)  # a generator holds what it reads
        if close is not None:
            close()
