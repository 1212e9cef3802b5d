"""HTTP requests to URLs that tenants have named, safe against server-side request forgery.

Only public hosts are contacted. A name is resolved once, all of its addresses must be public, and
the connection goes to one of these very addresses, so that a second answer of the name's server
(DNS rebinding) changes nothing. Redirects are not followed.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

READ_TIMEOUT_S = 10.0
"""Longest pause of the other side, seconds."""
TOTAL_TIMEOUT_S = 15.0
"""Longest time for a request and its answer, seconds: against servers that send byte by byte."""
MAX_ANSWER = 1 << 16
CHUNK = 1 << 16
FETCH_HEADERS = {"User-Agent": "Photoward", "Accept": "image/*"}
_PORTS = {"https": 443, "http": 80}
MAX_URL = 2048

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_SPECIAL = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",
        "192.88.99.0/24",
        "64:ff9b:1::/48",
        "2001::/23",
        "3fff::/20",
        "5f00::/16",
    )
)
"""From IANA's special-purpose registries; older Pythons know fewer, and clouds serve credentials
there."""


class BlockedUrl(Exception):  # noqa: N818  # it says what happened
    """The URL may not be requested."""


class NoResponse(OSError):  # noqa: N818  # it says what happened
    """There is no answer, or not in time, or it is not HTTP.

    Tenants read its message: of hosts that may lie in the operator's network it does not say what
    failed, as that would reveal which hosts exist.

    Args:
        kind: name of the error, for the operator.
        private: as of ``post``.
    """

    def __init__(self, kind: str, *, private: bool) -> None:
        super().__init__("No answer." if private else f"No answer ({kind}).")
        self.kind = kind


class UnresolvedHost(OSError):  # noqa: N818  # the same
    """The name has no address, or one that is not public; it does not say which."""


def check_url(url: str, *, private: bool) -> SplitResult:
    """The parts of a URL that may be requested, as far as that can be seen without resolving it.

    Args:
        url: ``https://…``; with ``private`` also ``http://…``.
        private: whether hosts of the operator's own network are allowed as well.

    Raises:
        Blocked: its message says why, in the middle of a sentence.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise BlockedUrl("it is no URL") from None
    if parts.scheme != "https" and not (private and parts.scheme == "http"):
        raise BlockedUrl("it is not https")
    if not host or parts.username is not None or parts.password is not None:
        raise BlockedUrl("it has no plain host")
    if not url.isprintable() or " " in url or not (parts.path + parts.query).isascii():
        raise BlockedUrl("it holds what no URL may hold")
    try:
        public = private or is_public(host)
    except ValueError:
        return parts  # a name
    if not public:
        raise BlockedUrl("it leads to an address that is not public")
    return parts


def is_public(text: str) -> bool:
    """Whether an address is public; an address embedded in it (NAT64, 6to4, …) counts as well."""
    address = ipaddress.ip_address(text)
    if any(address in network for network in _SPECIAL):
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(str(address.ipv4_mapped))
        hidden = address.sixtofour or address.teredo or address in _NAT64
        if hidden or address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def post(  # noqa: PLR0913  # what is sent, to whom, and for how long
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    private: bool,
    whole_s: float = TOTAL_TIMEOUT_S,
    timeout_s: float = READ_TIMEOUT_S,
) -> int:
    """POST a body; returns the status of the answer, whatever it is.

    Args:
        url: ``https://…``; with ``private`` also ``http://…``.
        body: to be sent.
        headers: besides Host and Content-Length.
        private: whether hosts of the operator's own network are allowed as well.
        whole_s: after which the connection is cut, from the name to the answer's last byte.
        timeout_s: longest pause of the other side.

    Raises:
        Blocked: the URL is not allowed.
        NoResponse: there is no answer.
    """
    connected = _connected(url, private=private, whole_s=whole_s, timeout_s=timeout_s)
    with connected as line, line.hearing():
        line.connection.request("POST", line.path, body, dict(headers))
        with line.connection.getresponse() as answer:
            answer.read(MAX_ANSWER)
        if line.late.is_set():  # headers that are cut off look like complete ones
            raise TimeoutError
        return answer.status


@dataclass(frozen=True)
class Response:
    """An answer that is being read."""

    status: int
    chunks: Iterator[bytes]
    """Its body as it arrives; raises what ``open_response`` raises."""
    headers: http.client.HTTPMessage
    length: int | None
    """Bytes of the body; None: it is not announced."""


@contextmanager
def open_response(
    url: str, *, private: bool, whole_s: float, timeout_s: float = READ_TIMEOUT_S
) -> Iterator[Response]:
    """GET a file; the caller reads it in chunks and counts them.

    Args:
        url: ``https://…``; with ``private`` also ``http://…``.
        private: whether hosts of the operator's own network are allowed as well.
        whole_s: after which the connection is cut, from the name to the last byte.
        timeout_s: longest pause of the other side.

    Raises:
        Blocked: the URL is not allowed.
        NoResponse: there is no answer, or it ends before its length.
    """
    with _connected(url, private=private, whole_s=whole_s, timeout_s=timeout_s) as line:
        with line.hearing():
            line.connection.request("GET", line.path, headers=FETCH_HEADERS)
            answer = line.connection.getresponse()
        with answer:
            yield Response(answer.status, _body(answer, line), answer.headers, answer.length)


def _body(answer: http.client.HTTPResponse, line: _Line) -> Iterator[bytes]:
    """The body up to its announced length: a connection that is kept open has no end."""
    left = answer.length
    while left != 0:
        with line.hearing():
            chunk = answer.read1(CHUNK if left is None else min(left, CHUNK))
            if not chunk and (left or line.late.is_set()):
                raise http.client.IncompleteRead(b"", left)
        if not chunk:
            return
        left = None if left is None else left - len(chunk)
        yield chunk


def _hang_up(plain: socket.socket, late: threading.Event) -> None:
    late.set()
    with suppress(OSError):
        plain.shutdown(socket.SHUT_RDWR)


class _Connection(http.client.HTTPConnection):
    """Uses a connected socket; TLS begins with the first request."""

    def __init__(self, host: str, port: int, plain: socket.socket, scheme: str) -> None:
        super().__init__(host, port)
        self.default_port = _PORTS[scheme]  # not to be named: signatures may cover the host
        self._plain, self._scheme = plain, scheme

    def connect(self) -> None:
        """Use the socket, with TLS for https."""
        self.sock = self._plain
        if self._scheme == "https":
            self.sock = _trust().wrap_socket(self._plain, server_hostname=self.host)


@cache
def _trust() -> ssl.SSLContext:
    """Cached: to read all certificates of the system takes as long as a request does."""
    return ssl.create_default_context()


@dataclass(frozen=True)
class _Line:
    """A connection and the path to request."""

    connection: _Connection
    path: str
    private: bool
    late: threading.Event
    """Set when it was cut because its time is over."""

    @contextmanager
    def hearing(self) -> Iterator[None]:
        """Errors within the block become ``NoResponse``."""
        with _heard(private=self.private, late=self.late):
            yield


@contextmanager
def _heard(*, private: bool, late: threading.Event) -> Iterator[None]:
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        kind = TimeoutError if late.is_set() else type(error)
        raise NoResponse(kind.__name__, private=private) from error


@contextmanager
def _connected(url: str, *, private: bool, whole_s: float, timeout_s: float) -> Iterator[_Line]:
    until = time.monotonic() + whole_s
    parts = check_url(url, private=private)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    late = threading.Event()
    with ExitStack() as closing:
        with _heard(private=private, late=late):
            address = _resolved(host, port, private=private)
            plain = socket.create_connection((address, port), min(timeout_s, _left(until)))
            closing.callback(plain.close)
            plain.settimeout(timeout_s)
            closing.enter_context(_cut_off(plain, _left(until), late))
        connection = _Connection(host, port, plain, parts.scheme)
        closing.callback(connection.close)
        yield _Line(connection, path, private, late)


def _left(until: float) -> float:
    """Seconds until then. Raises TimeoutError: none."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


@contextmanager
def _cut_off(plain: socket.socket, after_s: float, late: threading.Event) -> Iterator[None]:
    """Close the connection if the block takes longer, whatever the other side sends."""
    with plain.dup() as twin:  # TLS takes the other over
        clock = threading.Timer(after_s, _hang_up, (twin, late))
        clock.daemon = True
        clock.start()
        try:
            yield
        finally:
            clock.cancel()
            clock.join()  # it may be hanging up at this moment


def _resolved(host: str, port: int, *, private: bool) -> str:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise BlockedUrl("its host is none") from None
    except socket.gaierror:
        raise UnresolvedHost from None
    addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
    if not private and not all(is_public(address) for address in addresses):
        raise UnresolvedHost
    return addresses[0]
