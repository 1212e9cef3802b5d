"""Which addresses strangers may name: public ones, seen through every way to hide another.

Knows what a URL and an address look like; resolves and asks nothing.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

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
"""Of IANA's special-purpose registries; older Pythons know fewer, and clouds keep secrets there."""


class Blocked(Exception):  # noqa: N818  # it says what happened
    """The address is none that may be asked."""


def checked(url: str, *, private: bool) -> SplitResult:
    """The parts of a URL that may be asked, as far as that shows before it is resolved.

    Args:
        url: ``https://…``; with ``private`` also ``http://…``.
        private: whether hosts of the operator's own network may be asked, too.

    Raises:
        Blocked: its message says why, in the middle of a sentence.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise Blocked("it is no URL") from None
    if parts.scheme != "https" and not (private and parts.scheme == "http"):
        raise Blocked("it is not https")
    if not host or parts.username is not None or parts.password is not None:
        raise Blocked("it has no plain host")
    if not url.isprintable() or " " in url or not (parts.path + parts.query).isascii():
        raise Blocked("it holds what no URL may hold")
    try:
        public = private or is_public(host)
    except ValueError:
        return parts  # a name
    if not public:
        raise Blocked("it leads to an address that is not public")
    return parts


def is_public(text: str) -> bool:
    """Whether an address is one of the open Internet's, seen through every way to hide another."""
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
