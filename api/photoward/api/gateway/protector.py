"""Photos through a running Photoward service, over REST, as an ordinary tenant.

The same photo with the same options carries the same ``Idempotency-Key``: several gateways, and one
that was killed and started again, get the same item.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import parse_qsl

import httpx
import structlog

from photoward.core.catalogue import PASS
from photoward.core.errors import PROBLEMS, BadInput, NotFound, Unavailable
from photoward.core.failpoints import failpoint
from photoward.core.imaging.header import Limits
from photoward.core.imaging.sniff import sniff
from photoward.core.jobs import FINAL_IMAGE_STATES
from photoward.core.output_marks import is_marked

if TYPE_CHECKING:
    from collections.abc import Mapping

WAIT_S = 20
POLL_S = 0.25
REQUEST_TIMEOUT_S = 60.0
NOT_OURS = frozenset({"batch", "sizes", "upload", "renditions", "callback_url", "keep"})
"""Options that do not lead to one file of the photo's own size."""
OPERATORS = frozenset({
    "unauthenticated", "forbidden", "invalid_option", "unknown_method", "unknown_preset",
    "unknown_surrogate", "unknown_label", "unknown_host", "foreign_origin", "not_found",
    "method_not_allowed", "unsupported_content_type", "request_differs",
})  # fmt: skip
"""Refusals that say nothing about the photo: the gateway is not set up well."""

log = structlog.get_logger("photoward.gateway")


class RefusedPhoto(Exception):  # noqa: N818  # it is what happened
    """The photo cannot be protected, however often it is sent; the message is the service's."""


@dataclass(frozen=True)
class ProtectedPhoto:
    """A protected photo and the item that it is the output of."""

    data: bytes
    media_type: str
    item: str


def parse_options(text: str) -> dict[str, str]:
    """The options of every photo, from the form of a query; what is protected already may pass.

    Raises:
        BadInput: it is no query, or an option leads to more than one file.
    """
    try:
        options = dict(parse_qsl(text, strict_parsing=True, keep_blank_values=True)) if text else {}
    except ValueError:
        raise BadInput(
            "invalid_option", "The options must be a query, as preset=strong&keep_exif=date."
        ) from None
    if refused := NOT_OURS & options.keys():
        raise BadInput(
            "invalid_option", f"The gateway's options cannot contain {', '.join(sorted(refused))}."
        )
    return {"already_protected": PASS, **options}


class Protector:
    """A client of the service at a URL.

    Args:
        url: of the service.
        key: its API key, if it requires one.
        options: of every photo.
        timeout_s: longest time for one photo.
    """

    def __init__(
        self, url: str, key: str | None, options: Mapping[str, str], timeout_s: float
    ) -> None:
        self._options = options
        self._timeout_s = timeout_s
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=REQUEST_TIMEOUT_S,
            trust_env=False,  # photos go to no proxy
            limits=httpx.Limits(keepalive_expiry=2.0),  # before the service closes it
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def check(self) -> None:
        """Raises Unavailable when the service does not answer."""
        await self._exchange("GET", "/livez")

    async def protect(self, data: bytes, name: str) -> ProtectedPhoto:
        """The protected photo; ``forget`` it when it has been stored.

        Args:
            data: the photo.
            name: what identifies it and its version.

        Raises:
            RefusedPhoto: it cannot be protected.
            NotFound: another process took the result and deleted the item.
            Unavailable: the service cannot do it now.
        """
        until = time.monotonic() + self._timeout_s
        item = await self._submit(data, name)
        failpoint("photo-submitted")
        while item["state"] not in FINAL_IMAGE_STATES:
            if time.monotonic() > until:
                raise Unavailable("The service did not finish the photo in time.")
            await asyncio.sleep(POLL_S)
            item = json.loads(await self._exchange("GET", f"/v1/images/{item['id']}"))
        if item["state"] != "succeeded":
            await self._give_up(item)
        content = await self._exchange("GET", f"/v1/images/{item['id']}/content")
        _require_protected(data, content, item)
        failpoint("result-fetched")
        return ProtectedPhoto(content, str(item["output"]["media_type"]), str(item["id"]))

    async def forget(self, item: str) -> None:
        """Delete an item and its files from the service; one that is gone is no error.

        Raises:
            Unavailable: the service does not answer.
        """
        try:
            await self._exchange("DELETE", f"/v1/images/{item}")
        except NotFound:
            return

    async def _submit(self, data: bytes, name: str) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        words = json.dumps([name, digest, sorted(self._options.items())])
        headers = {
            "Content-Type": "application/octet-stream",
            "Idempotency-Key": hashlib.sha256(words.encode()).hexdigest(),
            "Prefer": f"wait={WAIT_S}",
        }
        answer = await self._exchange("POST", "/v1/images", data, headers)
        found: dict[str, Any] = json.loads(answer)
        return found

    async def _give_up(self, item: dict[str, Any]) -> NoReturn:
        """The item failed: the next try must make a new one."""
        await self.forget(item["id"])
        problem = item["error"] or {}
        if problem.get("status", 500) >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Unavailable("The service failed to protect the photo.")
        raise RefusedPhoto(problem.get("detail") or "The photo cannot be protected.")

    async def _exchange(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        query = self._options if body is not None else None
        try:
            answer = await self._http.request(
                method, path, params=query, content=body, headers=headers
            )
        except httpx.HTTPError as error:
            raise Unavailable("The service cannot be reached.") from error
        if not answer.is_success:
            _refuse(answer, of_photo=body is not None)
        return answer.content


def _refuse(answer: httpx.Response, *, of_photo: bool) -> NoReturn:
    try:
        problem = answer.json()
    except ValueError:
        problem = None
    code = str(problem.get("code")) if isinstance(problem, dict) else None
    if not of_photo and answer.status_code == HTTPStatus.NOT_FOUND:
        raise NotFound
    busy = answer.status_code in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT}
    final = answer.is_client_error and not busy and code in PROBLEMS and code not in OPERATORS
    if final and isinstance(problem, dict):
        raise RefusedPhoto(str(problem.get("detail")))
    log.error("service_refuses", status=answer.status_code, code=code)
    raise Unavailable(f"The service answers {answer.status_code} {code or ''}".strip() + ".")


def _require_protected(original: bytes, content: bytes, item: dict[str, Any]) -> None:
    """Raises Unavailable unless these are the bytes of another picture of the same size."""
    digest = hashlib.sha256(content).hexdigest()
    source, output = item["source"], item["output"]
    try:
        header = sniff(content, Limits(float("inf"), 1 << 30), complete=True)
    except BadInput:
        header = None
    if (
        header is None
        or (header.width, header.height) != (source["width"], source["height"])
        or header.media_type != output["media_type"]
        or digest != output["sha256"]
        or (content == original and not is_marked(content))
    ):
        raise Unavailable("The service's answer is not the protected photo.")
