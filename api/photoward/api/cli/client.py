"""A client of the service's REST API, over httpx.

Certificates are verified; ``SSL_CERT_FILE`` names further authorities. Redirects are not followed,
so that the API key goes to no other address.
"""

from __future__ import annotations

import ipaddress
import json
import re
import ssl
import time
from contextlib import contextmanager
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from photoward.api.cli import stored_login
from photoward.api.cli.configuration import settings_from
from photoward.core.errors import BadInput, Unavailable
from photoward.core.jobs import FINAL_IMAGE_STATES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    import httpx

LOCAL = "http://127.0.0.1:8080"
"""The service that ``photoward up`` starts."""

POLL_S = 0.1
MAX_PAGE = 100
IDLE_S = 2.0
"""Longest idle time of a reused connection; the server closes it after five seconds."""


def address(url: str, option: str = "--url") -> str:
    """The URL of a service, without a final slash; it may have a path.

    Raises:
        BadInput: it is not a valid ``http`` or ``https`` URL; the message does not quote it, as it
            may contain a password.
    """
    try:
        parts = urlsplit(url)
        fine = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        fine = False
    words = url.isascii() and not re.search(r"[\s\x00-\x1f@?#]", url)
    if not (fine and words):
        raise BadInput(
            "invalid_option",
            f"{option} takes an address like https://HOST or http://HOST:PORT, without user, "
            "password and query; the API key comes from PHOTOWARD_API_KEY.",
        )
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))


def service_url(given: str | None) -> str:
    """The URL of an option; without one that of the stored login, or else this machine's."""
    if given is not None:
        return given
    login = stored_login.read()
    return login.url if login else LOCAL


def credentials(url: str, key: str | None = None) -> dict[str, str]:
    """The header with the API key for a service, if there is one.

    Args:
        url: of the service: the stored login's key goes to the stored URL alone.
        key: the key; None: that of the settings, or else that of the stored login.

    Raises:
        BadInput: it is not a valid key; the message does not quote it.
    """
    key, source = (_known_key(url), "PHOTOWARD_API_KEY") if key is None else (key, "It")
    if not (key.isascii() and key.isprintable()):
        raise BadInput("invalid_option", f"{source} is not an API key.")
    return {"Authorization": f"Bearer {key}"} if key else {}


def _known_key(url: str) -> str:
    given = settings_from().api_key
    if given is not None:
        return given.get_secret_value().strip()
    login = stored_login.read()
    return login.api_key if login and login.url == address(url) else ""


class Refusal(Exception):  # noqa: N818  # it is what happened
    """The service refused a request: HTTP status and problem document."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('code')}: {problem.get('detail')}")
        self.status = status
        self.problem = dict(problem)


class Client:
    """A client of the service at a URL; thread-safe.

    Args:
        url: of the service.
        timeout_s: without any byte, after which the service counts as away.
        key: the API key; None: as ``credentials`` finds it.
    """

    def __init__(self, url: str, timeout_s: float = 120.0, key: str | None = None) -> None:
        import httpx  # a tenth of a second, for commands that ask a service

        base = httpx.URL(address(url))
        self._http = httpx.Client(
            base_url=base,
            headers=credentials(url, key),
            timeout=timeout_s,
            limits=httpx.Limits(keepalive_expiry=IDLE_S),
            # To read the certificates takes 30 ms; where there is no TLS nobody is trusted.
            verify=base.scheme == "https" or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            # No proxy for this machine.
            mounts={f"all://{base.netloc.decode()}": None} if is_loopback(base.host) else {},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    @property
    def url(self) -> str:
        """Where the service is."""
        return str(self._http.base_url).rstrip("/")

    def get(self, path: str, **query: object) -> dict[str, Any]:
        """A resource. Raises Refusal or Unavailable, as every other call does."""
        return self._json("GET", f"{path}{_query(query)}")

    def post(self, path: str) -> dict[str, Any]:
        """What an action without a body answers."""
        return self._json("POST", path)

    def items(self, path: str, most: int, **query: object) -> Iterator[dict[str, Any]]:
        """The first ``most`` entries of a list, page by page."""
        cursor = None
        while most > 0:
            limit = min(most, MAX_PAGE)
            page = self.get(path, **query, limit=limit, cursor=cursor)
            yield from page["items"]
            most, cursor = most - limit, page["next"]
            if cursor is None:
                return

    def download(self, path: str, file: IO[bytes]) -> Mapping[str, str]:
        """Write a file's bytes as they come; the headers of the answer."""
        import httpx

        with self._errors_translated(), self._http.stream("GET", path) as answer:
            if answer.status_code >= HTTPStatus.MULTIPLE_CHOICES:
                answer.read()
                raise Refusal(answer.status_code, _problem(answer))
            for chunk in answer.iter_bytes():
                file.write(chunk)
            return httpx.Headers(answer.headers)

    def submit(
        self,
        data: bytes,
        media_type: str,
        *,
        wait_s: float = 0,
        name: str | None = None,
        key: str | None = None,
        **options: object,
    ) -> dict[str, Any]:
        """Upload an image and return its item, finished if that took at most ``wait_s``.

        A repeated ``key`` (``Idempotency-Key``) uploads nothing.

        Raises:
            Refusal: the service refused it.
            Unavailable: it cannot be reached.
        """
        headers = {"Content-Type": media_type}
        if name is not None:
            headers["Content-Disposition"] = (
                f"attachment; filename*=UTF-8''{quote(name, safe='', errors='replace')}"
            )
        if key is not None:
            headers["Idempotency-Key"] = key
        if wait_s:
            headers["Prefer"] = f"wait={wait_s:g}"
        return self._json("POST", f"/v1/images{_query(options)}", data, headers)

    def make_batch(self, name: str, options: Mapping[str, object], key: str) -> str:
        """Create a batch, once for a ``key``; its id."""
        body = json.dumps({"name": name, "options": dict(options)}).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        return str(self._json("POST", "/v1/batches", body, headers)["id"])

    def item(self, item_id: str) -> dict[str, Any]:
        """The current state of an item."""
        return self._json("GET", f"/v1/images/{item_id}")

    def ended(self, item_id: str, timeout_s: float = 300.0) -> dict[str, Any]:
        """Wait until an item is in a final state.

        Raises:
            Unavailable: it is not after ``timeout_s``.
        """
        until = time.monotonic() + timeout_s
        while (item := self.item(item_id))["state"] not in FINAL_IMAGE_STATES:
            if time.monotonic() > until:
                raise Unavailable(f"Item {item_id} has not ended in {timeout_s:g} s.")
            time.sleep(POLL_S)
        return item

    def content(self, item_id: str) -> bytes:
        """The protected file."""
        return self._exchange("GET", f"/v1/images/{item_id}/content")

    def verify(self, data: bytes) -> dict[str, Any]:
        """What the service says of a file. Raises as ``submit``."""
        headers = {"Content-Type": "application/octet-stream"}
        return self._json("POST", "/v1/verify", data, headers)

    def delete(self, item_id: str) -> None:
        """Delete an item and its files."""
        self._exchange("DELETE", f"/v1/images/{item_id}")

    def _json(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        answer = self._exchange(method, path, body, headers)
        try:
            found = json.loads(answer)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Unavailable(f"{self.url} does not answer as Photoward does: check the address.")
        return found

    def _exchange(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        with self._errors_translated():
            answer = self._http.request(method, path, content=body, headers=headers)
        if answer.status_code >= HTTPStatus.MULTIPLE_CHOICES:
            raise Refusal(answer.status_code, _problem(answer))
        return answer.content

    @contextmanager
    def _errors_translated(self) -> Iterator[None]:
        import httpx

        try:
            yield
        except httpx.HTTPError as error:
            if _certificate_fails(error):
                raise BadInput(
                    "invalid_option",
                    f"The service's certificate is not trusted: {error}. "
                    "SSL_CERT_FILE names one that is.",
                ) from error
            raise Unavailable(f"The service cannot be reached: {error}.") from error


def _query(options: Mapping[str, object]) -> str:
    """The options that are given, as a URL's query; empty: none is."""
    given = {name: value for name, value in options.items() if value is not None}
    return f"?{urlencode(given)}" if given else ""


def _problem(answer: httpx.Response) -> dict[str, Any]:
    """The problem document of a refusal."""
    if answer.has_redirect_location:
        return {"detail": f"It leads to {answer.headers['location']}: give that address."}
    try:
        problem = json.loads(answer.content)
    except ValueError:
        problem = None
    return problem if isinstance(problem, dict) else {"detail": answer.text[:200]}


def is_loopback(host: str) -> bool:
    """Whether it names this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _certificate_fails(error: BaseException | None) -> bool:
    """Whether an invalid certificate is among an error's causes."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
