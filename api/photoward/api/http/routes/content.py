"""``/v1/images/{id}/content``: the protected file itself."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse

from photoward.api.http.deps import ItemIdDep, Parts, PartsDep, ReaderDep
from photoward.api.http.errors import documented, respond
from photoward.api.http.headers import ranges
from photoward.api.http.headers.ranges import Part
from photoward.api.http.responses import streamed
from photoward.api.http.schemas.images import Problem, error_of
from photoward.api.ingest import filenames
from photoward.core import rights
from photoward.core.catalogue import FORMATS
from photoward.core.errors import BadInput, Conflict
from photoward.core.jobs import Item, shrunk
from photoward.core.object_keys import output_keys
from photoward.core.ports import ObjectStore

router = APIRouter(prefix="/v1/images", tags=["images"])

FILE: dict[str, Any] = {
    "description": "The protected file.",
    "content": {
        media_type: {"schema": {"type": "string", "format": "binary"}}
        for media_type in FORMATS.values()
    },
    "headers": {
        name: {"schema": {"type": "string"}}
        for name in (
            "ETag",
            "Repr-Digest",
            "Content-Disposition",
            "X-Robots-Tag",
            "TDM-Reservation",
        )
    },
}

SizeDep = Annotated[
    int | None,
    Query(description="Which of `sizes` is wanted; the largest if nothing is said.", ge=1),
]


@dataclass(frozen=True)
class _File:
    """One finished file of an item."""

    key: str
    sha256: str
    length: int
    media_type: str
    side: int | None = None
    """Pixels of its longer side, if there are several of the item."""


@router.head("/{image_id}/content", include_in_schema=False)
async def head_content(
    image_id: ItemIdDep,
    parts: PartsDep,
    tenant: ReaderDep,
    size: SizeDep = None,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """What GET would send, without the file."""
    item = await to_thread.run_sync(parts.ledger.get, tenant, image_id)
    short = _failure(item)
    if short is not None:
        return short
    file = _file(item, size)
    return _unchanged(item, file, if_none_match) or Response(
        headers={**_headers(item, file), "Content-Type": file.media_type}
    )


@router.get(
    "/{image_id}/content",
    operation_id="getImageContent",
    summary="Fetch the protected file",
    response_class=Response,
    responses={
        200: FILE,
        206: {**FILE, "description": "The part that `Range` asks for."},
        304: {"description": "The file of `If-None-Match` is the one there is."},
        **documented(
            "invalid_option",
            "unauthenticated",
            "forbidden",
            "not_found",
            "not_ready",
            "range_not_satisfiable",
            "unavailable",
        ),
    },
)
async def get_content(  # noqa: PLR0913, PLR0917  # what may be asked for
    image_id: ItemIdDep,
    parts: PartsDep,
    tenant: ReaderDep,
    size: SizeDep = None,
    if_none_match: Annotated[str | None, Header()] = None,
    asked_range: Annotated[
        str | None, Header(alias="Range", description="One part of it.", examples=["bytes=4096-"])
    ] = None,
    if_range: Annotated[str | None, Header(description="The ETag that it must have.")] = None,
) -> Response:
    """Never changes once it is there: the ETag is the file's SHA-256."""
    item = await to_thread.run_sync(parts.ledger.get, tenant, image_id)
    short = _failure(item)
    if short is not None:
        return short
    file = _file(item, size)
    short = _unchanged(item, file, if_none_match)
    if short is not None:
        return short
    part = ranges.wanted(asked_range, if_range, f'"{file.sha256}"', file.length)
    return await _sent(parts, item, file, part)


def _failure(item: Item) -> Response | None:
    failure = error_of(item, status=409)
    return None if failure is None else respond(failure)


def _unchanged(item: Item, file: _File, if_none_match: str | None) -> Response | None:
    tags = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    if f'"{file.sha256}"' not in tags and tags != ["*"]:
        return None
    headers = _headers(item, file)
    del headers["Content-Length"]
    return Response(status_code=304, headers=headers)


def _file(item: Item, size: int | None = None) -> _File:
    """The largest file, or the one that ``size`` pixels were asked for."""
    if item.output is None:
        raise Conflict("not_ready", f"The item is {item.state}.")
    output, keys = item.output, output_keys(item)
    source = item.source
    wanted = next(iter(keys)) if size is None else shrunk(source.width, source.height, size)
    if wanted not in keys:
        there = ", ".join(str(max(one)) for one in keys)
        raise BadInput(
            "invalid_option", f"This size does not exist; these do: {there}.", field="size"
        )
    for one in output.renditions:
        if (one.width, one.height) == wanted:
            return _File(keys[wanted], one.sha256, one.size, output.media_type, max(wanted))
    return _File(keys[wanted], output.sha256, output.size, output.media_type)


def _headers(item: Item, file: _File) -> dict[str, str]:
    digest = base64.b64encode(bytes.fromhex(file.sha256)).decode()
    return {
        "Content-Length": str(file.length),
        "Accept-Ranges": "bytes",
        "Content-Disposition": filenames.attachment(
            item.source.filename, file.media_type, item.id, file.side
        ),
        "ETag": f'"{file.sha256}"',
        "Repr-Digest": f"sha-256=:{digest}:",
        "Cache-Control": "private, no-cache",
        **_reserved(item.options.data_mining),
    }


def _reserved(data_mining: str) -> dict[str, str]:
    """The file's own words again, where a crawler reads them before the file."""
    if data_mining == rights.NOTHING:
        return {}
    return {"X-Robots-Tag": "noai, noimageai", "TDM-Reservation": "1"}


async def whole(parts: Parts, item: Item) -> Response:
    """The largest file of a finished item as an answer, once its first bytes are there."""
    return await _sent(parts, item, _file(item), None)


async def _sent(parts: Parts, item: Item, file: _File, part: Part | None) -> Response:
    headers = _headers(item, file)
    start, end = (0, None) if part is None else (part.start, part.end)
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{part.end - 1}/{file.length}"
        headers["Content-Length"] = str(part.length)
    if part is not None and not part.length:
        detail = f"It has {file.length} bytes."
        nowhere = {"Content-Range": f"bytes */{file.length}"}
        return respond(Problem.of("range_not_satisfiable", detail), nowhere)
    chunks = await to_thread.run_sync(
        _opened, parts.store, file.key, start, end, limiter=parts.at_store
    )
    status = HTTPStatus.OK if part is None else HTTPStatus.PARTIAL_CONTENT
    body = streamed(chunks, parts.at_store)
    return StreamingResponse(body, status, headers, file.media_type)


def _opened(store: ObjectStore, key: str, start: int, end: int | None) -> Iterator[bytes]:
    """The first chunk is fetched here, so that a missing file is a 404 and not half an answer."""
    chunks = store.stream(key, start=start, end=end)
    return itertools.chain([next(chunks, b"")], chunks)
