"""Bodies while they arrive: their length, encoding and digest are checked, JSON is parsed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from anyio import to_thread
from fastapi import Request
from pydantic import BaseModel

from photoward.api.http.schemas.inline import inline_schema
from photoward.api.ingest.digest import ContentDigest
from photoward.api.ingest.ndjson import parse_object
from photoward.api.ingest.validation import validated
from photoward.core.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MAX_DIGITS = 18
"""Of a Content-Length."""

JSON = "application/json"
MAX_JSON = 1 << 16
"""Bytes of a JSON body, where nothing else is said."""

BODY_REFUSALS = (
    "body_too_large",
    "digest_mismatch",
    "length_mismatch",
    "malformed_request",
    "too_slow",
    "unsupported_content_type",
)
"""Codes with which any body may be refused."""

Model = TypeVar("Model", bound=BaseModel)


async def receive(request: Request, ceiling: int, limit: int) -> AsyncIterator[bytes]:
    """A request's body as it comes.

    Args:
        request: its body has not been read.
        ceiling: most bytes to take.
        limit: the number of bytes that a refusal names.

    Raises:
        BadInput: ``malformed_request`` or ``body_too_large``, as early as it shows;
            ``length_mismatch`` or ``digest_mismatch`` at the end; ``unsupported_content_type``: it
            is compressed.
    """
    _refuse_encoding(request.headers.get("content-encoding"))
    announced = _content_length(request.headers.get("content-length"))
    _refuse_size(announced or 0, ceiling, limit)
    digest = ContentDigest(request.headers.get("content-digest"))
    count = 0
    async for chunk in request.stream():
        count += len(chunk)
        _refuse_size(count, ceiling, limit)
        digest.feed(chunk)
        yield chunk
    if announced is not None and count != announced:
        raise BadInput("length_mismatch", f"{announced} bytes were announced, {count} arrived.")
    digest.check()


async def read_json(request: Request, model: type[Model], limit: int = MAX_JSON) -> Model | None:
    """A JSON body as a ``model``; None: the body is of another type, and was not read.

    Args:
        request: its body has not been read.
        model: what the body must be.
        limit: bytes.

    Raises:
        BadInput: it is not JSON, or not a valid ``model``.
    """
    if media_type(request) != JSON:
        return None
    body = b"".join([chunk async for chunk in receive(request, limit, limit)])
    return await to_thread.run_sync(lambda: validated(model, parse_object(body)))


async def require_json(request: Request, model: type[Model]) -> Model:
    """A JSON body. Raises BadInput: as ``read_json``, or it is of another type."""
    found = await read_json(request, model)
    if found is None:
        raise BadInput("unsupported_content_type", f"Send {JSON}.")
    return found


def json_request_body(model: type[BaseModel]) -> dict[str, Any]:
    """OpenAPI's ``requestBody`` of an operation that calls ``require_json`` itself."""
    return {"requestBody": {"required": True, "content": {JSON: {"schema": inline_schema(model)}}}}


async def discard_unexpected_body(request: Request) -> None:
    """Read and drop the body of an operation that takes none. Raises BadInput: it is a long one.

    Operations that take a body read it themselves, after the client has been authenticated.
    """
    headers = request.headers
    comes = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    if comes and not takes_body(request.scope["route"]):
        async for _ in receive(request, MAX_JSON, MAX_JSON):
            pass


def takes_body(route: object) -> bool:
    """Whether an operation takes a body, by its description."""
    return "requestBody" in (getattr(route, "openapi_extra", None) or {})


def is_empty(request: Request) -> bool:
    """Whether there is no body."""
    if "transfer-encoding" in request.headers:
        return False
    return not _content_length(request.headers.get("content-length"))


def is_small(request: Request) -> bool:
    """Whether there is no body, or one that is announced with at most ``MAX_JSON`` bytes."""
    announced = _content_length(request.headers.get("content-length")) or 0
    return announced <= MAX_JSON and "transfer-encoding" not in request.headers


def refuse_repeated_parameters(request: Request) -> None:
    """Raises BadInput: a query parameter is given twice."""
    if len(request.query_params.multi_items()) != len(request.query_params):
        raise BadInput("invalid_option", "An option is given twice in the query.")


def media_type(request: Request) -> str:
    """The body's media type, in lower case and without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _content_length(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > MAX_DIGITS:
        raise BadInput("malformed_request", "Content-Length is not a number.")
    return int(text)


def _refuse_size(size: int, ceiling: int, limit: int) -> None:
    if size > ceiling:
        raise BadInput("body_too_large", f"The limit is {limit} bytes.")


def _refuse_encoding(encoding: str | None) -> None:
    if encoding not in {None, "", "identity"}:
        raise BadInput("unsupported_content_type", "A compressed body is not accepted.")
