"""Cross-site requests to a service that needs no API key: only its own page may send any.

A browser on the same machine can reach the service for every page that it has open. Pages are told
apart by what they cannot choose: ``Host`` (against DNS rebinding), ``Origin``, and ``Sec-Fetch-*``
(W3C Fetch Metadata). Programs send neither of the last two.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from photoward.api.http.errors import problem_response
from photoward.api.http.schemas.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Receive, Scope, Send

OWN_SITES = frozenset({"same-origin", "none"})
"""``none``: the user typed the address, or opened a bookmark."""
PORTS = {"http": 80, "https": 443}


class OriginCheckMiddleware:
    """Refuses requests from pages of other sites.

    Args:
        app: the application.
        own: the host on which the service listens; that, ``localhost`` and any IP address, which
            cannot be rebound, are allowed.
        allowed: further host names, from the settings.
        origins: of pages of other sites that may use the service, from the settings.
    """

    def __init__(
        self, app: ASGIApp, own: str, allowed: Iterable[str], origins: Iterable[str]
    ) -> None:
        self._app = app
        self._origins = frozenset(origins)
        self._allowed = frozenset(name.lower() for name in allowed)
        self._hosts = self._allowed | {"localhost", own.lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a refusal, or pass the request on."""
        problem = self._problem(scope) if scope["type"] == "http" else None
        if problem is None:
            await self._app(scope, receive, send)
        else:
            await problem_response(problem)(scope, receive, send)

    def _problem(self, scope: Scope) -> Problem | None:
        headers = Headers(scope=scope)
        here = _host_and_port(f"{scope['scheme']}://{headers.get('host', 'localhost')}")
        if here is None or not self._is_known(here[0]):
            return Problem.of("unknown_host", "The Host header names another host.")
        there = headers.get("origin")
        if there in self._origins:
            return None
        if there is not None and not self._is_own_page(_host_and_port(there), here):
            return Problem.of("foreign_origin", "The Origin header names another site.")
        if there is None and not _is_same_site(scope["method"], headers):
            return Problem.of(
                "foreign_origin", "Sec-Fetch-Site says that another site's page sent the request."
            )
        return None

    def _is_known(self, host: str) -> bool:
        try:
            ip_address(host)
        except ValueError:
            return host in self._hosts
        return True

    def _is_own_page(self, there: tuple[str, int] | None, here: tuple[str, int]) -> bool:
        """From the host that is asked; or from an allowed one, for proxies that hide the host."""
        if there is None:
            return False
        return there == here or (there[0] in self._allowed and there[1] in PORTS.values())


def _host_and_port(url: str) -> tuple[str, int] | None:
    """Host and port; None: there is none, as in the Origin ``null``."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        return None
    return ((parts.hostname or "").rstrip("."), port) if parts.hostname else None


def _is_same_site(method: str, headers: Headers) -> bool:
    """By Fetch Metadata: from this site, or by a link that the user followed."""
    if headers.get("sec-fetch-site", "none") in OWN_SITES:
        return True
    followed = headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")
    return method in {"GET", "HEAD"} and followed == ("navigate", "document")
