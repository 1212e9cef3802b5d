"""Requests to addresses that strangers have named: to public hosts only, once, without detours.

A name is resolved once; every address that it has must be public; the connection goes to one of
those very addresses, so that a second answer of the name's server changes nothing. No redirects.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from typing import TYPE_CHECKING

from photoward.core.webhooks import Blocked, checked, is_public

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT_S = 10.0
MAX_ANSWER = 1 << 16
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
    parts = checked(url, private=private)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    address = _resolved(host, port, private=private)
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    plain = socket.create_connection((address, port), timeout_s)
    try:
        connection.sock = _secured(plain, host) if parts.scheme == "https" else plain
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path, body, dict(headers))
        answer = connection.getresponse()
        answer.read(MAX_ANSWER)
        return answer.status
    finally:
        connection.close()
        plain.close()


def _secured(plain: socket.socket, host: str) -> ssl.SSLSocket:
    return ssl.create_default_context().wrap_socket(plain, server_hostname=host)


def _resolved(host: str, port: int, *, private: bool) -> str:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise Blocked("its host is none") from None
    addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
    if not private and not all(is_public(address) for address in addresses):
        raise Blocked("it leads to an address that is not public")
    return addresses[0]
