"""Waiting for an image's end by polling the ledger, at growing intervals."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from anyio import to_thread

from photoward.core.jobs import FINAL_STATES

if TYPE_CHECKING:
    from fastapi import Request

    from photoward.core.jobs import Item
    from photoward.core.ledger import Ledger

FIRST_S, MAX_S, GROWTH = 0.01, 0.1, 1.3
"""First and longest interval, and the factor from one to the next."""


async def wait_until_ended(request: Request, ledger: Ledger, item: Item, seconds: float) -> Item:
    """The image as it is when it ends, when the time is up or when the client leaves.

    Raises:
        NotFound: it was deleted meanwhile.
    """
    deadline = time.monotonic() + seconds
    pause = FIRST_S
    while item.state not in FINAL_STATES and time.monotonic() < deadline:
        if await request.is_disconnected():
            break
        await asyncio.sleep(min(pause, max(0.0, deadline - time.monotonic())))
        pause = min(pause * GROWTH, MAX_S)
        item = await to_thread.run_sync(ledger.items.get, item.tenant, item.id)
    return item
