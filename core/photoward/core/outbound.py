"""Requests to addresses that strangers have named: to public hosts only, once, without detours.

A name is resolved once; every address that it has must be public; the connection goes to one of
those very addresses, so that a second answer of the name's server changes nothing. No redirects.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from photoward.core.addresses import Blocked, checked, is_public

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TIMEOUT_S = 10.0
MAX_ANSWER = 1 << 16
CHUNK = 1 << 16
ASKING = {"User-Agent": "Photoward", "Accept": "image/*"}
_PORTS = {"https": 443, "http": 80}


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    private: bool,
    timeout_s: float = TIMEOUT_S,
) -> int:
    """Send a body; the answer's status, whatever it is.

    Args:
        url: ``https://…``; with ``private`` also ``http://…``.
        body: to be sent.
        headers: besides Host and Content-Length.
        private: whether hosts of the operator's own network may be asked, too.
        timeout_s: longest pause of the other side.

    Raises:
        Blocked: the URL or an address that it leads to is not allowed.
        OSError: nobody answers.
        http.client.HTTPException: what comes is no HTTP.
    """
    with _connected(url, private=private, timeout_s=timeout_s) as (connection, path, _):
        connection.request("POST", path, body, dict(headers))
        with connection.getresponse() as answer:
            answer.read(MAX_ANSWER)
            return answer.status


@dataclass(frozen=True)
class Fetched:
    """An answer that is being read."""

    status: int
    chunks: Iterator[bytes]
    """Its body as it comes; raises what ``fetching`` raises."""


@contextmanager
def fetching(
    url: str, *, private: bool, whole_s: float, timeout_s: float = TIMEOUT_S
) -> Iterator[Fetched]:
    """Ask for a file; whoever reads it counts.

    Args:
        url: ``https://…``; with ``private`` also ``http://…``.
        private: whether hosts of the operator's own network may be asked, too.
        whole_s: after which the connection is cut, from handshake to last byte.
        timeout_s: longest pause of the other side.

    Raises:
        Blocked: the URL or an address that it leads to is not allowed.
        OSError: nobody answers, or not in time.
        http.client.HTTPException: what comes is no HTTP, or ends before its length.
    """
    with _connected(url, private=private, timeout_s=timeout_s) as (connection, path, plain):
        late = threading.Event()
        clock = threading.Timer(whole_s, _hang_up, (plain, late))
        clock.start()
        try:
            connection.connect()
            connection.request("GET", path, headers=ASKING)
            with connection.getresponse() as answer:
                yield Fetched(answer.status, _body(answer, late))
        finally:
            clock.cancel()


def _body(answer: http.client.HTTPResponse, late: threading.Event) -> Iterator[bytes]:
    """What comes, as far as it was announced: a connection that is kept open has no end."""
    left = answer.length
    while left != 0 and (chunk := answer.read1(CHUNK if left is None else min(left, CHUNK))):
        left = None if left is None else left - len(chunk)
        yield chunk
    if late.is_set():
        raise TimeoutError
    if left:
        raise http.client.IncompleteRead(b"", left)


def _hang_up(plain: socket.socket, late: threading.Event) -> None:
    late.set()
    with suppress(OSError):
        plain.shutdown(socket.SHUT_RDWR)


class _Connection(http.client.HTTPConnection):
    """Speaks over a socket that is connected already; TLS begins with the first request."""

    def __init__(self, host: str, port: int, plain: socket.socket, scheme: str) -> None:
        super().__init__(host, port)
        self.default_port = _PORTS[scheme]  # not to be named: signatures may cover the host
        self._plain, self._scheme = plain, scheme

    def connect(self) -> None:
        """See the standard library."""
        self.sock = self._plain
        if self._scheme == "https":
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(self._plain, server_hostname=self.host)


@contextmanager
def _connected(
    url: str, *, private: bool, timeout_s: float
) -> Iterator[tuple[_Connection, str, socket.socket]]:
    """A connection, the path to ask it for, and a socket by which it can be cut from outside."""
    parts = checked(url, private=private)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    address = _resolved(host, port, private=private)
    plain = socket.create_connection((address, port), timeout_s)
    twin = plain.dup()  # TLS takes the other over
    connection = _Connection(host, port, plain, parts.scheme)
    try:
        yield connection, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), twin
    finally:
        connection.close()
        plain.close()
        twin.close()


def _resolved(host: str, port: int, *, private: bool) -> str:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise Blocked("its host is none") from None
    addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
    if not private and not all(is_public(address) for address in addresses):
        raise Blocked("it leads to an address that is not public")
    return addresses[0]
