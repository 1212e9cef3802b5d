"""Receivers of webhooks on loopback: one counts what comes, one never ends its answers."""

from __future__ import annotations

import http.server
import json
import socket
from collections import Counter
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from tests.support.beside import beside
from tests.support.sites import serving

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator


@contextmanager
def counting() -> Iterator[tuple[str, Counter[str]]]:
    """Its URL, and how often each photo's end has been told."""
    told: Counter[str] = Counter()

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told[json.loads(body)["data"]["id"]] += 1
            self.send_response(204)
            self.end_headers()

    with serving(Receiver) as url:
        yield f"{url}/hook", told


@contextmanager
def dripping() -> Iterator[tuple[str, list[socket.socket]]]:
    """A receiver whose answers never end, though they never pause; and who is waiting for one."""
    callers: list[socket.socket] = []

    def drip(over: threading.Event) -> None:
        while not over.wait(0.02):
            with suppress(BlockingIOError):
                callers.append(server.accept()[0])
                callers[-1].sendall(b"HTTP/1.1 200 OK\r\nX: ")
            for one in callers:
                with suppress(OSError):
                    one.sendall(b"a")

    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        server.setblocking(False)  # noqa: FBT003  # the standard library's
        with beside(drip):
            yield f"http://127.0.0.1:{server.getsockname()[1]}/", callers
        for one in callers:
            one.close()
