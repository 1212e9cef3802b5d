"""How long a request may take to come: who sends ever so slowly does not hold on to anything.

Plain ASGI for bodies, and uvicorn's protocol for what comes before them. Only time in which nothing
was there to be read counts, so that a slow disk or a busy process is no sender's fault.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

import h11
from starlette.exceptions import HTTPException
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEAD_S = 20.0
"""Longest from the connection to the end of the first request's header."""

REST_S = 20.0
"""How long a body may still come that was answered before its end."""


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


class Door(H11Protocol):
    """A connection on which a whole header must come in time, and what nobody waits for as well."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """See asyncio."""
        super().connection_made(transport)
        self.loop.call_later(HEAD_S, self._close_unless_asked)

    def on_response_complete(self) -> None:
        """See uvicorn."""
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY:
            self.loop.call_later(REST_S, self._close_if_busy_with, self.cycle)

    def _close_if_busy_with(self, cycle: object) -> None:
        if self.cycle is cycle and self.conn.their_state is h11.SEND_BODY:
            self.transport.close()

    def _close_unless_asked(self) -> None:
        if self.cycle is None:
            self.transport.close()  # type: ignore[unreachable]  # typed as if never None


def _too_slow() -> HTTPException:
    # The rest is not waited for: HTTP/1.1 wants to know, and so does the server.
    return HTTPException(
        HTTPStatus.REQUEST_TIMEOUT, "the body came too slowly", {"Connection": "close"}
    )
