"""``/v1/uploads``: bytes first, what to do with them later; by tus, or in one piece."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Request, Response

from photoward.api.http.auth import UploaderDep
from photoward.api.http.body.part import new_part_file, receive_part, receive_part_or_rest
from photoward.api.http.body.reader import JSON, media_type, read_json
from photoward.api.http.deps import Services, ServicesDep, UploadIdDep
from photoward.api.http.errors import documented
from photoward.api.http.headers import tus
from photoward.api.http.headers.tus import Checksum
from photoward.api.http.responses import BINARY
from photoward.api.http.schemas.uploads import CreatedUpload, CreateUpload
from photoward.api.ingest import uploads
from photoward.api.ingest.digest import ContentDigest
from photoward.api.ingest.spool import ANY_TYPE, declared_type
from photoward.api.ingest.upload_content import format_metadata, parse_metadata
from photoward.core.errors import BadInput
from photoward.core.object_keys import upload_key
from photoward.core.uploads import DIRECT, LIFETIME, Upload

router = APIRouter(prefix="/v1/uploads", tags=["uploads"], route_class=tus.TusRoute)

UPLOAD_REFUSALS = ("unauthenticated", "forbidden", "not_found", "unavailable")
PART_REFUSALS = (
    "tus_version",
    "malformed_request",
    "invalid_option",
    "length_mismatch",
    "digest_mismatch",
    "checksum_differs",
    "body_too_large",
    "unsupported_content_type",
    "too_slow",
    "offset_differs",
    "upload_used",
    "too_many_parts",
    "storage_full",
)

TusVersionDep = Annotated[str | None, Depends(tus.tus_version)]
TusDep = Annotated[None, Depends(tus.require_tus)]
"""After the API key: a client without one gets no other refusal."""

LengthDep = Annotated[
    int | None,
    Header(
        alias="Upload-Length", ge=0, lt=10**18, description="tus: length of the upload in bytes."
    ),
]
OffsetDep = Annotated[
    int,
    Header(
        alias="Upload-Offset", ge=0, lt=10**18, description="tus: the offset of the body in bytes."
    ),
]
MetadataDep = Annotated[
    str,
    Header(
        alias="Upload-Metadata",
        description="tus: `filename`, `filetype` and, beyond tus, `content_digest`, in base64.",
        examples=["filename Y2F0LmpwZw=="],
    ),
]
ChecksumDep = Annotated[
    str | None,
    Header(alias="Upload-Checksum", description=f"tus: {' or '.join(tus.HASHES)}, then base64."),
]


@router.options(
    "",
    operation_id="describeUploads",
    summary="Get the tus version and extensions",
    status_code=204,
    response_class=Response,
    responses=documented(),
)
async def describe_uploads(services: ServicesDep) -> Response:
    """In the headers of the response."""
    headers = {
        "Tus-Version": tus.VERSION,
        "Tus-Extension": tus.EXTENSIONS,
        "Tus-Max-Size": str(services.settings.upload_max_bytes),
        "Tus-Checksum-Algorithm": ",".join(tus.HASHES),
    }
    return Response(None, 204, headers)


@router.post(
    "",
    operation_id="createUpload",
    summary="Create an upload",
    status_code=201,
    response_model=CreatedUpload,
    responses={
        201: {
            "description": "`Location` is the URL for tus, `url` the one to PUT the whole file to."
        },
        **documented("too_many_uploads", "token_used_up", *PART_REFUSALS, *UPLOAD_REFUSALS),
    },
    openapi_extra={
        "requestBody": {
            "content": {JSON: {"schema": CreateUpload.model_json_schema()}, tus.PART_TYPE: BINARY}
        }
    },
)
async def create_upload(  # noqa: PLR0913  # the headers of tus
    *,
    request: Request,
    services: ServicesDep,
    tenant: UploaderDep,
    version: TusVersionDep,
    length: LengthDep = None,
    metadata: MetadataDep = "",
    checksum: ChecksumDep = None,
) -> Response:
    """Upload a file first, and submit it later with `POST /v1/images` and its id.

    With `Tus-Resumable` as in [tus 1.0.0](https://tus.io), with or without a first part: an upload
    that breaks off can be resumed. Without it, send JSON; the response has the URL to which the
    whole file is PUT. An upload is removed after a day.
    """
    if version is None:
        upload = await _create_from_json(request, services, tenant)
    elif length is None:
        raise BadInput("invalid_option", "It is not there.", field="Upload-Length")
    else:
        expected = Checksum(checksum)
        upload = await _create(request, services, tenant, length, metadata)
        if media_type(request) == tus.PART_TYPE:
            upload = await _append_first(request, services, upload, expected)
    headers = {"Location": f"/v1/uploads/{upload.id}", **tus.offset_headers(upload)}
    url = await to_thread.run_sync(_url, services, upload)
    created = CreatedUpload(
        id=upload.id, url=url, headers={"Content-Type": ANY_TYPE}, expires=upload.expires_at
    )
    return Response(created.model_dump_json(), 201, headers, media_type=JSON)


async def _create_from_json(request: Request, services: Services, tenant: str) -> Upload:
    body = await read_json(request, CreateUpload)
    if body is None:
        raise BadInput(
            "tus_version", f"The request has neither Tus-Resumable nor a body of {JSON}."
        )
    metadata = {"filename": body.filename, "content_digest": body.content_digest}
    return await _create(request, services, tenant, body.bytes, format_metadata(metadata))


async def _create(
    request: Request, services: Services, tenant: str, length: int, metadata: str
) -> Upload:
    """What would be refused when the upload is used is refused now."""
    pairs = parse_metadata(metadata)
    declared_type(pairs.get("filetype"))
    ContentDigest(pairs.get("content_digest"))
    token_id = request.state.token_id
    return await to_thread.run_sync(
        uploads.create_upload, services, tenant, length, metadata, token_id
    )


async def _append(
    request: Request, services: Services, upload: Upload, checksum: Checksum
) -> Upload:
    """Receive the next part and store it; of one that breaks off, what came.

    Raises:
        BadInput: it is too long, or not what was announced; then nothing of it is stored.
        Conflict: another request sent that part meanwhile.
        NotFound: the upload was deleted meanwhile.
    """
    with new_part_file() as file:
        room = upload.length - upload.received
        error = await receive_part_or_rest(request, file, room, checksum)
        if file.tell():
            store = partial(uploads.append_part, services, upload, file)
            upload = await to_thread.run_sync(store, limiter=services.store_writes)
    if error is not None:
        raise error
    return upload


async def _append_first(
    request: Request, services: Services, upload: Upload, checksum: Checksum
) -> Upload:
    try:
        return await _append(request, services, upload, checksum)
    except BadInput:  # the client will never learn of the upload
        delete = partial(uploads.delete_upload, services, upload.tenant, upload.id)
        await to_thread.run_sync(delete, limiter=services.store_calls)
        raise


def _url(services: Services, upload: Upload) -> str:
    key = upload_key(upload.tenant, upload.id, DIRECT)
    return services.store.upload_url(key, LIFETIME) or f"/v1/uploads/{upload.id}/content"


@router.head(
    "/{upload_id}",
    operation_id="getUploadOffset",
    summary="Get the offset of an upload",
    response_class=Response,
    responses=documented("tus_version", *UPLOAD_REFUSALS),
)
async def get_upload_offset(
    upload_id: UploadIdDep, services: ServicesDep, tenant: UploaderDep, _: TusDep
) -> Response:
    """Resume at `Upload-Offset`."""
    upload = await to_thread.run_sync(services.ledger.uploads.get, tenant, upload_id)
    headers = {"Upload-Length": str(upload.length), **tus.offset_headers(upload)}
    if upload.metadata:
        headers["Upload-Metadata"] = upload.metadata
    return Response(None, 200, headers)


@router.patch(
    "/{upload_id}",
    operation_id="continueUpload",
    summary="Resume an upload",
    status_code=204,
    response_class=Response,
    responses=documented(*PART_REFUSALS, *UPLOAD_REFUSALS),
    openapi_extra={"requestBody": {"required": True, "content": {tus.PART_TYPE: BINARY}}},
)
async def continue_upload(  # noqa: PLR0913  # the headers of tus
    *,
    request: Request,
    upload_id: UploadIdDep,
    services: ServicesDep,
    tenant: UploaderDep,
    _: TusDep,
    offset: OffsetDep,
    checksum: ChecksumDep = None,
) -> Response:
    """Append a part. If it breaks off, the bytes that came are kept, unless it has a checksum."""
    if media_type(request) != tus.PART_TYPE:
        raise BadInput("unsupported_content_type", f"Send parts as {tus.PART_TYPE}.")
    expected = Checksum(checksum)
    upload = await to_thread.run_sync(services.ledger.uploads.get, tenant, upload_id)
    uploads.require_open(upload, offset)
    upload = await _append(request, services, upload, expected)
    return Response(None, 204, tus.offset_headers(upload))


@router.delete(
    "/{upload_id}",
    operation_id="deleteUpload",
    summary="Delete an upload",
    status_code=204,
    responses=documented("tus_version", *UPLOAD_REFUSALS),
)
async def delete_upload(
    upload_id: UploadIdDep, services: ServicesDep, tenant: UploaderDep, _: TusVersionDep
) -> None:
    """The image that it has become stays."""
    delete = partial(uploads.delete_upload, services, tenant, upload_id)
    await to_thread.run_sync(delete, limiter=services.store_calls)


@router.put(
    "/{upload_id}/content",
    operation_id="putUpload",
    summary="Upload a file in one piece",
    status_code=204,
    responses=documented(
        "length_mismatch",
        "digest_mismatch",
        "malformed_request",
        "body_too_large",
        "too_slow",
        "unsupported_content_type",
        "upload_used",
        "storage_full",
        *UPLOAD_REFUSALS,
    ),
    openapi_extra={"requestBody": {"required": True, "content": {ANY_TYPE: BINARY}}},
)
async def put_upload(
    request: Request, upload_id: UploadIdDep, services: ServicesDep, tenant: UploaderDep
) -> None:
    """As many bytes as were announced; they replace what was uploaded before."""
    upload = await to_thread.run_sync(services.ledger.uploads.get, tenant, upload_id)
    uploads.require_open(upload)
    with new_part_file() as file:
        await receive_part(request, file, upload.length, Checksum(None))
        store = partial(uploads.replace_content, services, upload, file)
        await to_thread.run_sync(store, limiter=services.store_writes)
    discard = partial(uploads.discard_content, services, upload)
    await to_thread.run_sync(discard, limiter=services.store_calls)
