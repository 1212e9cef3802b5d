"""The way of an upload from its headers to a checked, spooled photo.

Everything is refused as early as it can be known: from the headers, then from the first bytes.
Stores nothing.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from anyio import to_thread
from fastapi import Request
from python_multipart.multipart import parse_options_header

from photoward.api.http.body.multipart import Form
from photoward.api.http.errors import Told, validated
from photoward.api.http.schemas.images import whole_schema
from photoward.api.ingest import filenames
from photoward.api.ingest.digest import ContentDigest
from photoward.api.ingest.json_lines import read
from photoward.api.ingest.spool import Spool
from photoward.core.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from pydantic import BaseModel

    from photoward.api.ingest.options import Asked
    from photoward.core.jobs import Options, Source
    from photoward.core.settings import Settings

FORM_OVERHEAD = 1 << 16
"""Bytes that boundaries, part headers and fields may take beside the photo."""

MAX_DIGITS = 18

JSON = "application/json"
MAX_JSON = 1 << 16

READING = (
    "body_too_large", "digest_mismatch", "length_mismatch", "malformed_request", "too_slow",
    "unsupported_content_type",
)  # fmt: skip
"""How a body is refused, whatever it should say."""


@dataclass(frozen=True)
class Upload:
    """What came, fit to be stored."""

    source: Source
    options: Options
    file: BinaryIO


class Intake:
    """Reads one upload.

    Args:
        request: its body has not been touched.
        asked: holds the query's options; form fields are added.
        settings: give the limits.
        closing: closes the spool when the caller is through.
    """

    def __init__(
        self, request: Request, asked: Asked, settings: Settings, closing: ExitStack
    ) -> None:
        self._request = request
        self._asked = asked
        self._settings = settings
        self._closing = closing
        self._ceiling = settings.upload_max_bytes

    async def read(self) -> Upload:
        """Take in the whole request.

        Raises:
            BadInput: at the first byte that shows it.
            NotFound: there is no such batch as a form names.
            ClientDisconnect: the caller left; nothing stays behind.
        """
        feed, finish = self._reader()
        async for chunk in received(self._request, self._ceiling, self._settings.upload_max_bytes):
            feed(chunk)
        spool = finish()
        await self._asked.find_batch()
        return Upload(spool.finish(), self._asked.complete(), spool.file())

    def _reader(self) -> tuple[Callable[[bytes], None], Callable[[], Spool]]:
        headers = self._request.headers
        kind, parameters = parse_options_header(headers.get("content-type"))
        if kind == b"multipart/form-data":
            if not parameters.get(b"boundary"):
                raise BadInput("malformed_request", "The Content-Type names no boundary.")
            self._ceiling += FORM_OVERHEAD
            form = Form(parameters[b"boundary"], self._asked, self._spool)
            return form.feed, form.finish
        name = filenames.of_disposition(headers.get("content-disposition"))
        spool = self._spool(headers.get("content-type"), name)
        self._asked.complete()  # nothing can be added any more: refuse before the body
        return spool.write, lambda: spool

    def _spool(self, declared: str | None, filename: str | None) -> Spool:
        spool = Spool.of(self._settings, declared=declared, filename=filename)
        return self._closing.enter_context(spool)


async def received(request: Request, ceiling: int, limit: int) -> AsyncIterator[bytes]:
    """A request's body as it comes.

    Args:
        request: its body has not been touched.
        ceiling: most bytes to take.
        limit: what is told of that.

    Raises:
        BadInput: ``malformed_request`` or ``body_too_large``, as early as it shows;
            ``length_mismatch`` or ``digest_mismatch`` at the end; ``unsupported_content_type``: it
            is compressed.
    """
    _refuse_encoding(request.headers.get("content-encoding"))
    announced = _announced(request.headers.get("content-length"))
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


async def read_json(request: Request, model: type[Told], limit: int = MAX_JSON) -> Told | None:
    """What a body of JSON says; None: the body is something else, and was not touched.

    Args:
        request: its body has not been touched.
        model: what it may say.
        limit: most bytes of it.

    Raises:
        BadInput: it is not what ``model`` says.
    """
    if kind_of(request) != JSON:
        return None
    body = b"".join([chunk async for chunk in received(request, limit, limit)])
    return await to_thread.run_sync(lambda: validated(model, read(body)))


async def require_json(request: Request, model: type[Told]) -> Told:
    """What a body of JSON says. Raises BadInput: as ``read_json``, or it is something else."""
    told = await read_json(request, model)
    if told is None:
        raise BadInput("unsupported_content_type", f"Send {JSON}.")
    return told


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """OpenAPI's words for an operation that reads ``model`` itself."""
    return {"requestBody": {"required": True, "content": {JSON: {"schema": whole_schema(model)}}}}


async def pass_over(request: Request) -> None:
    """Read past the body of an operation that takes none. Raises BadInput: it is a long one.

    Those that take one read it themselves, when they know who sends it.
    """
    headers = request.headers
    comes = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    if comes and not takes_body(request.scope["route"]):
        async for _ in received(request, MAX_JSON, MAX_JSON):
            pass


def takes_body(route: object) -> bool:
    """Whether an operation's description has a body."""
    return "requestBody" in (getattr(route, "openapi_extra", None) or {})


def is_empty(request: Request) -> bool:
    """Whether there is no body."""
    if "transfer-encoding" in request.headers:
        return False
    return not _announced(request.headers.get("content-length"))


def is_small(request: Request) -> bool:
    """Whether a body says that it is no longer than a few options are, or there is none."""
    announced = _announced(request.headers.get("content-length")) or 0
    return announced <= MAX_JSON and "transfer-encoding" not in request.headers


def refuse_repeats(request: Request) -> None:
    """Raises BadInput: something is asked for twice in the query."""
    if len(request.query_params.multi_items()) != len(request.query_params):
        raise BadInput("invalid_option", "An option is given twice in the query.")


def kind_of(request: Request) -> str:
    """Type of a body, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _announced(text: str | None) -> int | None:
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
