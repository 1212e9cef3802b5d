"""HTTP servers of our own on loopback, for those who call out; and a trap for who must not."""

from __future__ import annotations

import http.server
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def serving(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of a server, without a slash at its end, as long as the block lasts."""
    quiet = type(handler.__name__, (handler,), {"log_message": lambda *_: None})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def forbid_connections(monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    """Whoever connects from here on has failed."""

    def connected(*_: object, **__: object) -> None:
        pytest.fail(why)

    monkeypatch.setattr(socket, "create_connection", connected)
    monkeypatch.setattr(socket.socket, "connect", connected)
