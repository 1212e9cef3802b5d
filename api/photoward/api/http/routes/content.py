"""``/v1/images/{id}/content``: the protected file itself."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from photoward.api.delivery.files import ProtectedFile, list_files, open_file, select_file
from photoward.api.delivery.rendition_set import file_name, parts_of, zip_of
from photoward.api.http.auth import OwnReaderDep
from photoward.api.http.deps import ImageIdDep, Services, ServicesDep
from photoward.api.http.errors import documented, problem_response, range_not_satisfiable
from photoward.api.http.headers.accept import FILE as FILE_FORM
from photoward.api.http.headers.accept import MULTIPART, ZIP, preferred_form
from photoward.api.http.headers.content_disposition import attachment
from photoward.api.http.headers.figures import FIGURE_HEADERS, figure_headers
from photoward.api.http.headers.ranges import ByteRange, parse_range
from photoward.api.http.headers.representation import (
    RESERVATION,
    digest_headers,
    extent_headers,
    has_tag,
)
from photoward.api.http.responses import binary_content, stream_in_thread
from photoward.api.http.schemas.images import problem_of
from photoward.core import rights
from photoward.core.catalogue import FORMATS
from photoward.core.jobs import Item

router = APIRouter(prefix="/v1/images", tags=["images"])

FILE: dict[str, Any] = {
    "description": "The protected file.",
    "content": binary_content(*FORMATS.values()),
    "headers": {
        name: {"schema": {"type": "string"}}
        for name in (
            "ETag",
            "Repr-Digest",
            "Content-Disposition",
            "X-Robots-Tag",
            "TDM-Reservation",
            *FIGURE_HEADERS,
        )
    },
}

FILES: dict[str, Any] = {
    **FILE,
    "description": "The protected file, or all renditions.",
    "content": binary_content(*FORMATS.values(), ZIP, MULTIPART),
}

SizeDep = Annotated[
    int | None,
    Query(description="One of `sizes`; default: the largest.", ge=1),
]


RenditionDep = Annotated[
    str | None,
    Query(description="The name of one of `renditions`; default: the largest file."),
]


@router.head("/{image_id}/content", include_in_schema=False)
async def head_content(  # noqa: PLR0913, PLR0917  # what may be asked for
    image_id: ImageIdDep,
    services: ServicesDep,
    tenant: OwnReaderDep,
    size: SizeDep = None,
    rendition: RenditionDep = None,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """What GET would send, without the file."""
    item = await to_thread.run_sync(services.ledger.items.get, tenant, image_id)
    problem = problem_of(item, status=HTTPStatus.CONFLICT)
    if problem is not None:
        return problem_response(problem)
    file = select_file(item, size, rendition)
    if has_tag(f'"{file.sha256}"', if_none_match):
        return _not_modified(item, file)
    return Response(headers={**_headers(item, file), "Content-Type": file.media_type})


@router.get(
    "/{image_id}/content",
    operation_id="getImageContent",
    summary="Download the protected file",
    response_class=Response,
    responses={
        200: FILES,
        206: {**FILE, "description": "The part of the file in `Range`."},
        304: {"description": "The file has the ETag of `If-None-Match`."},
        **documented(
            "invalid_option",
            "unauthenticated",
            "forbidden",
            "not_found",
            "expired",
            "not_ready",
            "range_not_satisfiable",
            "unavailable",
        ),
    },
)
async def get_content(  # noqa: PLR0913, PLR0917  # what may be asked for
    request: Request,
    image_id: ImageIdDep,
    services: ServicesDep,
    tenant: OwnReaderDep,
    size: SizeDep = None,
    rendition: RenditionDep = None,
    if_none_match: Annotated[str | None, Header()] = None,
    range_header: Annotated[
        str | None,
        Header(alias="Range", description="One part of the file.", examples=["bytes=4096-"]),
    ] = None,
    if_range: Annotated[
        str | None, Header(description="The ETag that the file must have for `Range` to apply.")
    ] = None,
) -> Response:
    """The file never changes: its ETag is its SHA-256.

    With `Accept: application/zip` or `multipart/mixed` the response has all renditions.
    """
    item = await to_thread.run_sync(services.ledger.items.get, tenant, image_id)
    problem = problem_of(item, status=HTTPStatus.CONFLICT)
    if problem is not None:
        return problem_response(problem)
    form = preferred_form(request.headers.getlist("accept"), FILE_FORM)
    if form != FILE_FORM and item.options.renditions and size is None and rendition is None:
        return files_response(services, item, form)
    file = select_file(item, size, rendition)
    if has_tag(f'"{file.sha256}"', if_none_match):
        return _not_modified(item, file)
    part = parse_range(range_header, if_range, f'"{file.sha256}"', file.length)
    return await file_response(services, item, file, part)


async def file_response(
    services: Services, item: Item, file: ProtectedFile, part: ByteRange | None
) -> Response:
    """A file or a part of it, once its first bytes have been read."""
    if part is not None and not part.length:
        return range_not_satisfiable(file.length)
    headers = _headers(item, file) | extent_headers(file.length, part)
    start, end = (0, None) if part is None else (part.start, part.end)
    chunks = await to_thread.run_sync(
        open_file, services.store, file, start, end, limiter=services.store_calls
    )
    status = HTTPStatus.OK if part is None else HTTPStatus.PARTIAL_CONTENT
    body = stream_in_thread(chunks, services.store_calls)
    return StreamingResponse(body, status, headers, file.media_type)


def files_response(services: Services, item: Item, form: str) -> Response:
    """All files of an image, as a zip or a multipart body. Raises Conflict: ``not_ready``."""
    files = list_files(item)
    headers = {
        "Cache-Control": "private, no-cache",
        "Vary": "Accept",
        **figure_headers(item, files[0]),
        **_reservation(item),
    }
    if form == MULTIPART:
        boundary = secrets.token_hex(16)
        parts = [_headers(item, one) | _part_headers(one) for one in files]
        chunks = parts_of(services.store, files, boundary, parts)
        media_type = f"{MULTIPART}; boundary={boundary}"
    else:
        chunks, media_type = zip_of(services.store, files), ZIP
        headers["Content-Disposition"] = f'attachment; filename="photo-{item.id[:8]}.zip"'
    return StreamingResponse(
        stream_in_thread(chunks, services.store_calls), headers=headers, media_type=media_type
    )


def _part_headers(file: ProtectedFile) -> dict[str, str]:
    return {
        "Content-Type": file.media_type,
        "Content-Disposition": f'attachment; name="{file.rendition}"; filename="{file_name(file)}"',
    }


def _not_modified(item: Item, file: ProtectedFile) -> Response:
    headers = _headers(item, file)
    del headers["Content-Length"]
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)


def _headers(item: Item, file: ProtectedFile) -> dict[str, str]:
    return {
        "Content-Length": str(file.length),
        "Accept-Ranges": "bytes",
        "Content-Disposition": attachment(
            item.source.filename, file.media_type, item.id, file.suffix
        ),
        **digest_headers(file.sha256),
        "Cache-Control": "private, no-cache",
        **figure_headers(item, file),
        **_reservation(item),
    }


def _reservation(item: Item) -> dict[str, str]:
    return RESERVATION if item.options.data_mining != rights.NOTHING else {}
