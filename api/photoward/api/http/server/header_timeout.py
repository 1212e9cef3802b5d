"""A connection from its first byte: whole headers must come in time, and there are only so many.

uvicorn's protocol, as nothing of this reaches the application.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from photoward.api.http.errors import respond
from photoward.api.http.schemas.images import Problem
from photoward.api.http.server.connection_limit import Crowd

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from uvicorn.server import ServerState

HEAD_S = 20.0
"""Longest from the connection, or a request's first byte, to the end of its header."""

REST_S = 20.0
"""How long a body may still come that was answered before its end."""

_crowds: WeakKeyDictionary[ServerState, Crowd] = WeakKeyDictionary()
"""Of each server in this process."""


class Door(H11Protocol):
    """A connection on which nobody is waited for without an end."""

    _timer: asyncio.TimerHandle | None = None
    _crowd: Crowd

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """See asyncio."""
        super().connection_made(transport)
        proxies = str(self.config.forwarded_allow_ips)
        self._crowd = _crowds.setdefault(self.server_state, Crowd(proxies))
        if self._crowd.enter(self):
            self._wait(HEAD_S, self._awaits_head)
        else:
            transport.write(_full())
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        super().connection_lost(exc)
        self._crowd.leave(self)
        self._forget()

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        super().data_received(data)
        if self._is_answering():
            self._crowd.serve(self)
            self._forget()
        elif self._timer is None and self._awaits_head():
            self._wait(HEAD_S, self._awaits_head)

    def on_response_complete(self) -> None:
        """See uvicorn."""
        super().on_response_complete()
        if self._is_answering():  # the next one had come already
            return
        self._crowd.wait(self)
        if self._awaits_rest():
            self._wait(REST_S, self._awaits_rest)

    def give_way(self) -> None:
        """See ``Connection``."""
        self.transport.abort()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete  # type: ignore[redundant-expr]  # typed as if never None

    def _awaits_head(self) -> bool:
        return self.conn.their_state is h11.IDLE

    def _awaits_rest(self) -> bool:
        return self.conn.their_state is h11.SEND_BODY and not self._is_answering()

    def _wait(self, seconds: float, awaited: Callable[[], bool]) -> None:
        """Close the connection unless something else is awaited by then."""
        self._forget()
        self._timer = self.loop.call_later(seconds, self._close_if, awaited)

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close_if(self, awaited: Callable[[], bool]) -> None:
        self._timer = None
        if awaited():
            self.transport.close()


def _full() -> bytes:
    """An answer to whoever comes when there is no room; HTTP/1.1 by hand, as nothing was asked."""
    problem = respond(Problem.of("unavailable", "There are too many connections."))
    lines = [b"HTTP/1.1 503 Service Unavailable", b"connection: close"]
    lines += [b": ".join(header) for header in problem.raw_headers]
    return b"\r\n".join([*lines, b"", bytes(problem.body)])
