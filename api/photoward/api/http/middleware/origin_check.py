"""Which web pages may speak to a service that asks for no key: its own, and nobody else's.

A browser on the same machine reaches it for every page that it has open. What a page cannot choose
tells them apart: the ``Host`` that the browser believes it asks (a rebound name is foreign),
``Origin``, and ``Sec-Fetch-*`` (W3C Fetch Metadata). Programs send none of the last two.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from photoward.api.http.errors import respond
from photoward.api.http.schemas.images import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Receive, Scope, Send

OWN_SITES = frozenset({"same-origin", "none"})
"""``none``: somebody typed the address, or took a bookmark."""
PORTS = {"http": 80, "https": 443}


class Neighbours:
    """Refuses what pages of other sites send.

    Args:
        app: who answers the others.
        own: where the service listens; that, ``localhost`` and any address in numbers, which nobody
            can rebind, are good hosts.
        named: what the operator says that browsers know the service by, besides.
    """

    def __init__(self, app: ASGIApp, own: str, named: Iterable[str]) -> None:
        self._app = app
        self._named = frozenset(name.lower() for name in named)
        self._hosts = self._named | {"localhost", own.lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        problem = self._problem(scope) if scope["type"] == "http" else None
        if problem is None:
            await self._app(scope, receive, send)
        else:
            await respond(problem)(scope, receive, send)

    def _problem(self, scope: Scope) -> Problem | None:
        headers = Headers(scope=scope)
        here = _place(f"{scope['scheme']}://{headers.get('host', 'localhost')}")
        if here is None or not self._is_ours(here[0]):
            return Problem.of("unknown_host", "The Host header names another host.")
        there = headers.get("origin")
        if there is not None and not self._is_own_page(_place(there), here):
            return Problem.of("foreign_origin", "The Origin header names another site.")
        if there is None and not _is_welcome(scope["method"], headers):
            return Problem.of(
                "foreign_origin", "Sec-Fetch-Site says that another site's page sent the request."
            )
        return None

    def _is_ours(self, host: str) -> bool:
        try:
            ip_address(host)
        except ValueError:
            return host in self._hosts
        return True

    def _is_own_page(self, there: tuple[str, int] | None, here: tuple[str, int]) -> bool:
        """From the very place that is asked; or from a named one, for proxies that hide it."""
        if there is None:
            return False
        return there == here or (there[0] in self._named and there[1] in PORTS.values())


def _place(url: str) -> tuple[str, int] | None:
    """Host and port; None: there is none, as in the Origin ``null``."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        return None
    return ((parts.hostname or "").rstrip("."), port) if parts.hostname else None


def _is_welcome(method: str, headers: Headers) -> bool:
    """By Fetch Metadata: from nowhere else, or somebody followed a link that leads to the page."""
    if headers.get("sec-fetch-site", "none") in OWN_SITES:
        return True
    followed = headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")
    return method in {"GET", "HEAD"} and followed == ("navigate", "document")
