"""The service seen from outside: what demo and benchmarks need of the REST interface."""

from __future__ import annotations

import http.client
import json
import os
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlencode, urlsplit

from photoward.core.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

FINAL = frozenset({"done", "failed", "cancelled"})
POLL_S = 0.1
IDLE_S = 2.0
"""A connection that rested longer is not used again: the server closes it after five seconds."""


class Refusal(Exception):  # noqa: N818  # it is what happened
    """The service said no."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('code')}: {problem.get('detail')}")
        self.status = status
        self.problem = dict(problem)


class Client:
    """One connection, kept open; not for sharing between threads.

    Sends the API key in ``PHOTOWARD_API_KEY``, if there is one.
    """

    def __init__(self, url: str, timeout_s: float = 120.0) -> None:
        host = urlsplit(url).netloc
        self._connection = http.client.HTTPConnection(host, timeout=timeout_s)
        key = os.environ.get("PHOTOWARD_API_KEY")
        self._credentials = {"Authorization": f"Bearer {key}"} if key else {}
        self._used = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    def close(self) -> None:
        """Hang up; the next question opens the connection again."""
        self._connection.close()

    def submit(
        self, data: bytes, media_type: str, *, wait_s: float = 0, name: str | None = None,
        key: str | None = None, **options: object,
    ) -> dict[str, Any]:  # fmt: skip
        """Upload a picture, once under a ``key``; the item, finished if it was within ``wait_s``.

        Raises:
            Refusal: the service refused it.
            Unavailable: it cannot be reached.
        """
        headers = {"Content-Type": media_type}
        if name is not None:
            headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
        if key is not None:
            headers["Idempotency-Key"] = key
        if wait_s:
            headers["Prefer"] = f"wait={wait_s:g}"
        query = urlencode({key: value for key, value in options.items() if value is not None})
        return self._json("POST", f"/v1/images?{query}", data, headers)

    def make_batch(self, name: str, options: Mapping[str, object], key: str) -> str:
        """A batch for further uploads, one under a ``key``; its id."""
        body = json.dumps({"name": name, "options": dict(options)}).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        return str(self._json("POST", "/v1/batches", body, headers)["id"])

    def item(self, item_id: str) -> dict[str, Any]:
        """The item as it stands."""
        return self._json("GET", f"/v1/images/{item_id}")

    def ended(self, item_id: str, timeout_s: float = 300.0) -> dict[str, Any]:
        """The item when it has ended.

        Raises:
            Unavailable: it has not ended in time.
        """
        until = time.monotonic() + timeout_s
        while (item := self.item(item_id))["state"] not in FINAL:
            if time.monotonic() > until:
                raise Unavailable(f"Item {item_id} has not ended in {timeout_s:g} s.")
            time.sleep(POLL_S)
        return item

    def content(self, item_id: str) -> bytes:
        """The protected file."""
        return self._exchange("GET", f"/v1/images/{item_id}/content")

    def delete(self, item_id: str) -> None:
        """Remove an item and its files."""
        self._exchange("DELETE", f"/v1/images/{item_id}")

    def _json(
        self, method: str, path: str, body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        found: dict[str, Any] = json.loads(self._exchange(method, path, body, headers))
        return found

    def _exchange(
        self, method: str, path: str, body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:  # fmt: skip
        if time.monotonic() - self._used > IDLE_S:
            self._connection.close()  # it opens again by itself
        try:
            given = {**self._credentials, **(headers or {})}
            self._connection.request(method, path, body, given)
            response = self._connection.getresponse()
            data = response.read()
            self._used = time.monotonic()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise Unavailable(f"The service cannot be reached: {error}.") from error
        if response.status >= http.HTTPStatus.BAD_REQUEST:
            try:
                problem = json.loads(data)
            except ValueError:
                problem = {"detail": data[:200].decode(errors="replace")}
            raise Refusal(response.status, problem)
        return data


class Clients:
    """Clients for the threads of one task: who asks gets one that rests, or a new one."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._resting: deque[Client] = deque()

    @contextmanager
    def one(self) -> Iterator[Client]:
        """A client that nobody else has meanwhile."""
        try:
            client = self._resting.pop()
        except IndexError:
            client = Client(self._url)
        try:
            yield client
        finally:
            self._resting.append(client)

    def close(self) -> None:
        """Hang up all that rest."""
        while self._resting:
            self._resting.pop().close()
