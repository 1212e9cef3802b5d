"""A client of Photoward's REST API, of the standard library alone: blocking and for asyncio.

A call is repeated after 429 and 503, as ``Retry-After`` says, and after a broken connection, until
its time or its retries are used up. No repetition makes a second photo. Redirects are not followed,
so that the API key goes to no other address. Options are the API's: ``preset``, ``label``, …
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import hashlib
import hmac
import http.client
import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar
from urllib.parse import quote, urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping

FINAL = ("succeeded", "failed", "canceled")
PASSING = (429, 502, 503, 504)
Item = dict[str, Any]
"""An image as ``GET /v1/images/{id}`` shows it: ``id``, ``state``, ``output``, ``error``, …"""
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """A response of the service; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class PhotowardError(Exception):
    """A call did not do what was asked. ``passing``: the same call may succeed later."""

    passing = True
    retry_after_s: float | None = None


class UnavailableError(PhotowardError):
    """The service cannot be reached, did not finish in time, or answered with no picture."""


class InvalidSignatureError(PhotowardError):
    """A webhook's message is not from the service, or too old."""


class RefusedError(PhotowardError):
    """The service answered with a problem (RFC 9457): ``status``, ``code``, and its words."""

    def __init__(self, answer: Answer) -> None:
        try:
            self.problem: dict[str, Any] = dict(json.loads(answer.content))
        except (TypeError, ValueError):
            self.problem = {"detail": answer.headers.get("location", "")}
        words = [str(self.problem.get(part, "")) for part in ("title", "detail", "remedy")]
        said = " ".join(word.rstrip(".") + "." for word in words if word)
        super().__init__(f"HTTP {answer.status}: {said}")
        self.status, self.code = answer.status, str(self.problem.get("code", ""))
        self.passing = self.status in PASSING and self.code != "over_quota"
        pause = answer.headers.get("retry-after", "")
        self.retry_after_s = int(pause) if pause.isdecimal() else None


class Client:
    """A blocking client; may be used by several threads at once.

    Args:
        url: the service's address, ``https://HOST`` or ``http://HOST:PORT``, perhaps with a path.
        key: an API key; empty: none is sent.
        timeout_s: how long a call may take, its retries included.
        retries: how often a call is repeated.
    """

    def __init__(
        self, url: str, key: str = "", *, timeout_s: float = 60.0, retries: int = 5
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
            raise ValueError("url is not like https://HOST or http://HOST:PORT, without a user")
        if not (key.isascii() and key.isprintable()):
            raise ValueError("key is not an API key")
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        self._connection = functools.partial(kind, parts.hostname, parts.port)
        self._path = parts.path.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._timeout_s, self._retries = timeout_s, retries

    def protect(self, image: bytes | Path, /, **options: object) -> Answer:
        """Send a photo and return the protected file; the service keeps neither.

        Raises RefusedError and UnavailableError, whose ``passing`` tells whether to try again.
        """
        answer = self.request("POST", "/v1/protect", image, query=options)
        kind = answer.headers.get("content-type", "")
        if answer.status != http.HTTPStatus.OK or not kind.startswith("image/"):
            raise UnavailableError(f"It answered {answer.status} {kind}, no picture.")
        return answer

    def submit(
        self,
        image: bytes | Path,
        /,
        *,
        name: str = "",
        idempotency_key: str = "",
        **options: object,
    ) -> Item:
        """Queue a photo and return its item; the same ``idempotency_key`` gives the same item."""
        file = quote(name or getattr(image, "name", "photo"), safe="", errors="replace")
        headers = {
            "Idempotency-Key": idempotency_key or uuid.uuid4().hex,
            "Content-Disposition": f"attachment; filename*=UTF-8''{file}",
        }
        return self.json("POST", "/v1/images", image, headers, options)

    def wait(self, image_id: str, timeout_s: float = 300.0) -> Item:
        """The item when it has ended: ``succeeded``, ``failed`` (see ``error``) or ``canceled``.

        Raises UnavailableError after ``timeout_s``.
        """
        until, pause_s = time.monotonic() + timeout_s, 0.1
        while (item := self.json("GET", f"/v1/images/{image_id}"))["state"] not in FINAL:
            if time.monotonic() + pause_s > until:
                raise UnavailableError(f"Image {image_id} has not ended in {timeout_s:g} s.")
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, 2.0)
        return item

    def download(self, image_id: str, /, **options: object) -> bytes:
        """The protected file; ``size=320``: one of the requested sizes."""
        return self.request("GET", f"/v1/images/{image_id}/content", query=options).content

    def delete(self, image_id: str) -> None:
        """Delete a photo, its item and its files."""
        self.request("DELETE", f"/v1/images/{image_id}")

    def batch(
        self, images: Iterable[tuple[str, bytes | Path]], **options: object
    ) -> Iterator[tuple[str, Item | RefusedError]]:
        """Submit named photos as one batch, then yield each one's name and end, in this order.

        A photo that is refused at once yields the refusal; it does not stop the others.
        """
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        batch = self.json("POST", "/v1/batches", headers=headers, query=options)["id"]
        ends: list[tuple[str, Item | RefusedError]] = []
        for name, image in images:
            try:
                ends.append((name, self.submit(image, name=name, batch=batch)))
            except RefusedError as error:
                if error.passing:
                    raise
                ends.append((name, error))
        for name, end in ends:
            yield name, end if isinstance(end, RefusedError) else self.wait(end["id"])

    def json(self, method: str, path: str, *args: Any, **more: Any) -> Item:  # noqa: ANN401
        """As ``request``, for answers in JSON."""
        found: Item = json.loads(self.request(method, path, *args, **more).content)
        return found

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Path = b"",
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, object] | None = None,
    ) -> Answer:
        """Send a request, repeated where that helps. Raises RefusedError and UnavailableError."""
        until, pause_s = time.monotonic() + self._timeout_s, 0.5
        data = body.read_bytes() if isinstance(body, Path) else body
        own = {"Content-Type": "application/octet-stream"} if data else {}
        request = (
            method,
            self._path + path + _query(query or {}),
            data,
            own | self._headers | dict(headers or {}),
        )
        for left in range(self._retries, -1, -1):
            try:
                return _exchange(self._connection(timeout=until - time.monotonic()), request, until)
            except PhotowardError as error:
                wait_s = pause_s if error.retry_after_s is None else error.retry_after_s
                if not (left and error.passing) or time.monotonic() + wait_s >= until:
                    raise
            time.sleep(wait_s)
            pause_s = min(pause_s * 2, 8.0)
        raise AssertionError


def _in_thread(
    call: Callable[Concatenate[Client, P], T],
) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]:
    @functools.wraps(call)
    async def run(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        bound = functools.partial(call, self.blocking, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self.threads, bound)

    return run


class AsyncClient:
    """The same calls for asyncio; each runs in one of ``concurrency`` threads."""

    def __init__(self, *where: str, concurrency: int = 32, **limits: Any) -> None:  # noqa: ANN401
        self.blocking = Client(*where, **limits)
        self.threads = ThreadPoolExecutor(concurrency, "photoward")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.threads.shutdown(wait=False, cancel_futures=True)

    protect = _in_thread(Client.protect)
    submit = _in_thread(Client.submit)
    wait = _in_thread(Client.wait)
    download = _in_thread(Client.download)
    delete = _in_thread(Client.delete)

    async def batch(
        self, images: Iterable[tuple[str, bytes | Path]], **options: object
    ) -> AsyncIterator[tuple[str, Item | RefusedError]]:
        """See ``Client.batch``."""
        step = _in_thread(lambda _, ends: next(ends, None))
        ends = self.blocking.batch(images, **options)
        while (end := await step(self, ends)) is not None:
            yield end


def verify_webhook(
    body: bytes, headers: Mapping[str, str], secret: str, *, tolerance_s: float = 300.0
) -> Item:
    """The message of a webhook, signed as Standard Webhooks say; see its ``type`` and ``data``.

    ``body`` is as it arrived; ``secret`` is ``whsec_…``. Raises InvalidSignatureError.
    """
    found = {name.lower(): value for name, value in headers.items()}
    stamp, signatures = found.get("webhook-timestamp", ""), found.get("webhook-signature", "")
    signed = f"{found.get('webhook-id', '')}.{stamp}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    right = b"v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    if not any(hmac.compare_digest(one.encode(), right) for one in signatures.split()):
        raise InvalidSignatureError("The signature is not the service's.")
    if abs(time.time() - int(stamp)) > tolerance_s:
        raise InvalidSignatureError("The message is too old; or a clock is wrong.")
    message: Item = json.loads(body)
    return message


def _query(options: Mapping[str, object]) -> str:
    return f"?{urlencode({name: _word(v) for name, v in options.items()})}" if options else ""


def _word(value: object) -> str:
    """A list with commas, an object or a list of them as JSON."""
    if isinstance(value, list | tuple) and not any(isinstance(one, dict) for one in value):
        return ",".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value)


def _exchange(
    connection: http.client.HTTPConnection, request: tuple[Any, ...], until: float
) -> Answer:
    """Send one request and read its whole answer."""
    with contextlib.closing(connection):
        try:
            answer = _read(connection, request, until)
        except (OSError, http.client.HTTPException) as error:
            raise UnavailableError(f"The service cannot be reached: {error!r}.") from error
    if answer.status >= http.HTTPStatus.MULTIPLE_CHOICES:
        raise RefusedError(answer)
    return answer


def _read(connection: http.client.HTTPConnection, request: tuple[Any, ...], until: float) -> Answer:
    try:
        connection.request(*request)
    except (BrokenPipeError, ConnectionResetError):
        if connection.sock is None:
            raise  # else it may have been refused before it was sent in full
    socket, response, parts = connection.sock, connection.getresponse(), []
    while part := response.read1(1 << 16):
        parts.append(part)
        socket.settimeout(max(until - time.monotonic(), 0.001))
    content, headers = b"".join(parts), {k.lower(): v for k, v in response.headers.items()}
    if int(headers.get("content-length", len(content))) != len(content):
        raise http.client.IncompleteRead(content)
    return Answer(response.status, headers, content)
