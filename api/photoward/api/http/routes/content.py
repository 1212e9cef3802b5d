"""``/v1/images/{id}/content``: the protected file itself."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Header, Response
from fastapi.responses import StreamingResponse

from photoward.api.http import filenames
from photoward.api.http.deps import ItemIdDep, PartsDep, TenantDep
from photoward.api.http.errors import documented, respond
from photoward.api.http.schemas import error_of
from photoward.core import rights
from photoward.core.catalogue import FORMATS
from photoward.core.errors import Conflict
from photoward.core.jobs import Item, Output
from photoward.core.ports import ObjectStore, output_key

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


@router.head("/{image_id}/content", include_in_schema=False)
async def head_content(
    image_id: ItemIdDep,
    parts: PartsDep,
    tenant: TenantDep,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """What GET would send, without the file."""
    item = await to_thread.run_sync(parts.ledger.get, tenant, image_id)
    return _without_file(item, if_none_match) or Response(
        headers={**_headers(item, _output(item)), "Content-Type": _output(item).media_type}
    )


@router.get(
    "/{image_id}/content",
    operation_id="getImageContent",
    summary="Fetch the protected file",
    response_class=Response,
    responses={
        200: FILE,
        304: {"description": "The file of `If-None-Match` is the one there is."},
        **documented("not_found", "not_ready", "unavailable"),
    },
)
async def get_content(
    image_id: ItemIdDep,
    parts: PartsDep,
    tenant: TenantDep,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Never changes once it is there: the ETag is the file's SHA-256."""
    item = await to_thread.run_sync(parts.ledger.get, tenant, image_id)
    short = _without_file(item, if_none_match)
    if short is not None:
        return short
    output = _output(item)
    chunks = await to_thread.run_sync(_opened, parts.store, output_key(tenant, image_id))
    return StreamingResponse(chunks, headers=_headers(item, output), media_type=output.media_type)


def _without_file(item: Item, if_none_match: str | None) -> Response | None:
    failure = error_of(item, status=409)
    if failure is not None:
        return respond(failure)
    output = _output(item)
    tags = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    if f'"{output.sha256}"' not in tags and tags != ["*"]:
        return None
    headers = _headers(item, output)
    del headers["Content-Length"]
    return Response(status_code=304, headers=headers)


def _output(item: Item) -> Output:
    if item.output is None:
        raise Conflict("not_ready", f"The item is {item.state}.")
    return item.output


def _headers(item: Item, output: Output) -> dict[str, str]:
    digest = base64.b64encode(bytes.fromhex(output.sha256)).decode()
    return {
        "Content-Length": str(output.size),
        "Content-Disposition": filenames.attachment(item.source.filename, output.media_type),
        "ETag": f'"{output.sha256}"',
        "Repr-Digest": f"sha-256=:{digest}:",
        "Cache-Control": "private, no-cache",
        **_reserved(item.options.data_mining),
    }


def _reserved(data_mining: str) -> dict[str, str]:
    """The file's own words again, where a crawler reads them before the file."""
    if data_mining == rights.NOTHING:
        return {}
    return {"X-Robots-Tag": "noai, noimageai", "TDM-Reservation": "1"}


def _opened(store: ObjectStore, key: str) -> Iterator[bytes]:
    """The first chunk is fetched here, so that a missing file is a 404 and not half an answer."""
    chunks = store.stream(key)
    return itertools.chain([next(chunks, b"")], chunks)
