"""A time limit on bodies, so that slow senders hold no resources.

Plain ASGI. Only time in which nothing was there to be read counts, so that a slow disk or a busy
process is not the sender's fault.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class SlowBodyMiddleware:
    """Refuses bodies that come too slowly.

    Args:
        app: what reads them.
        timeout_s: how long the service waits for a body, in seconds altogether …
        min_rate: … and one second more for so many bytes that have come.
    """

    def __init__(self, app: ASGIApp, *, timeout_s: float, min_rate: int) -> None:
        self._app = app
        self._timeout_s = timeout_s
        self._min_rate = min_rate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application with a ``receive`` that raises HTTPException 408."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        left_s = self._timeout_s
        more = True

        async def receive_in_time() -> Message:
            nonlocal left_s, more
            if not more:
                return await receive()
            clock = asyncio.get_running_loop().time
            began = clock()
            try:
                async with asyncio.timeout(left_s):
                    message = await receive()
            except TimeoutError:
                raise _too_slow() from None
            left_s += len(message.get("body", b"")) / self._min_rate - (clock() - began)
            more = message.get("more_body", False)
            return message

        await self._app(scope, receive_in_time, send)


def _too_slow() -> HTTPException:
    # The rest is not waited for: HTTP/1.1 wants to know, and so does the server.
    return HTTPException(
        HTTPStatus.REQUEST_TIMEOUT, "the body came too slowly", {"Connection": "close"}
    )
