"""How long a body may take to come: who sends ever so slowly does not hold on to anything.

Plain ASGI. Only time in which nothing was there to be read counts, so that a slow disk or a busy
process is no sender's fault.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Patience:
    """Refuses bodies that come too slowly.

    Args:
        app: what reads them.
        grace_s: how long the service waits for any body, altogether.
        bytes_per_s: for each so many bytes that have come it waits a second more.
    """

    def __init__(self, app: ASGIApp, *, grace_s: float, bytes_per_s: int) -> None:
        self._app = app
        self._grace_s = grace_s
        self._bytes_per_s = bytes_per_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI; the application's ``receive`` raises HTTPException 408."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        left_s = self._grace_s
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
            left_s += len(message.get("body", b"")) / self._bytes_per_s - (clock() - began)
            more = message.get("more_body", False)
            return message

        await self._app(scope, receive_in_time, send)


def _too_slow() -> HTTPException:
    # The rest is not waited for: HTTP/1.1 wants to know, and so does the server.
    return HTTPException(
        HTTPStatus.REQUEST_TIMEOUT, "the body came too slowly", {"Connection": "close"}
    )
