"""Time limits and a connection limit below the application, in uvicorn's HTTP/1.1 protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from photoward.api.http.errors import problem_response
from photoward.api.http.schemas.problems import Problem
from photoward.api.http.server.connection_limit import ConnectionLimit

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from uvicorn.server import ServerState

HEADER_TIMEOUT_S = 20.0
"""From the connection, or a request's first byte, to the end of its headers."""

UNREAD_BODY_TIMEOUT_S = 20.0
"""How long the rest of a body may come after its request has been answered."""

_limits: WeakKeyDictionary[ServerState, ConnectionLimit] = WeakKeyDictionary()
"""Of each server in this process."""


class HeaderTimeoutProtocol(H11Protocol):
    """A connection with time limits on headers and on unread bodies."""

    _timer: asyncio.TimerHandle | None = None
    _limit: ConnectionLimit

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Count the connection, or refuse it with 503."""
        super().connection_made(transport)
        proxies = str(self.config.forwarded_allow_ips)
        self._limit = _limits.setdefault(self.server_state, ConnectionLimit(proxies))
        if self._limit.add(self):
            self._wait(HEADER_TIMEOUT_S, self._awaits_headers)
        else:
            transport.write(_full())
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        self._limit.remove(self)
        self._cancel_timer()

    def data_received(self, data: bytes) -> None:
        """Start or stop the time limit on headers."""
        super().data_received(data)
        if self._is_answering():
            self._limit.mark_active(self)
            self._cancel_timer()
        elif self._timer is None and self._awaits_headers():
            self._wait(HEADER_TIMEOUT_S, self._awaits_headers)

    def on_response_complete(self) -> None:
        """Mark the connection idle, and limit the time for a body that is not read."""
        super().on_response_complete()
        if self._is_answering():  # the next one had come already
            return
        self._limit.mark_idle(self)
        if self._awaits_body():
            self._wait(UNREAD_BODY_TIMEOUT_S, self._awaits_body)

    def abort(self) -> None:
        """End at once, as ``ConnectionLimit`` demands."""
        self.transport.abort()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete  # type: ignore[redundant-expr]  # typed as if never None

    def _awaits_headers(self) -> bool:
        return self.conn.their_state is h11.IDLE

    def _awaits_body(self) -> bool:
        return self.conn.their_state is h11.SEND_BODY and not self._is_answering()

    def _wait(self, seconds: float, awaited: Callable[[], bool]) -> None:
        """Close the connection unless something else is awaited by then."""
        self._cancel_timer()
        self._timer = self.loop.call_later(seconds, self._close_if, awaited)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close_if(self, awaited: Callable[[], bool]) -> None:
        self._timer = None
        if awaited():
            self.transport.close()


def _full() -> bytes:
    """A refusal in HTTP/1.1, written by hand, as there is no request to answer."""
    problem = problem_response(Problem.of("unavailable", "There are too many connections."))
    lines = [b"HTTP/1.1 503 Service Unavailable", b"connection: close"]
    lines += [b": ".join(header) for header in problem.raw_headers]
    return b"\r\n".join([*lines, b"", bytes(problem.body)])
