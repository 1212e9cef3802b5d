"""``/v1/uploads``: bytes first, what to do with them later; by tus, or in one piece."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from photoward.api.http.body.reader import JSON, kind_of, read_json
from photoward.api.http.deps import Parts, PartsDep, UploadIdDep, WriterDep
from photoward.api.http.errors import documented
from photoward.api.http.headers import tus
from photoward.api.http.headers.tus import Checksum
from photoward.api.http.routes.images import BINARY
from photoward.api.http.schemas.images import EXAMPLE_ID
from photoward.api.ingest import uploads
from photoward.api.ingest.digest import ContentDigest
from photoward.api.ingest.filenames import MAX_LENGTH
from photoward.api.ingest.spool import UNTOLD, media_type
from photoward.core.errors import BadInput
from photoward.core.object_keys import upload_key
from photoward.core.uploads import DIRECT, LIFETIME, Upload

router = APIRouter(prefix="/v1/uploads", tags=["uploads"], route_class=tus.Route)

ASKING = ("unauthenticated", "forbidden", "not_found", "unavailable")
SENDING = (
    "tus_version", "malformed_request", "invalid_option", "length_mismatch", "digest_mismatch",
    "checksum_differs", "body_too_large", "unsupported_content_type", "too_slow", "offset_differs",
    "upload_used", "too_many_parts", "storage_full",
)  # fmt: skip

SpokenDep = Annotated[str | None, Depends(tus.spoken)]
TusDep = Annotated[None, Depends(tus.required)]
"""After the key: who has none is told nothing else."""

LengthDep = Annotated[
    int | None,
    Header(alias="Upload-Length", ge=0, lt=10**18, description="tus: bytes of the whole."),
]
OffsetDep = Annotated[
    int, Header(alias="Upload-Offset", ge=0, lt=10**18, description="Where the body belongs.")
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


class RequestedUpload(BaseModel):
    """An upload that comes in one piece."""

    model_config = ConfigDict(extra="forbid")

    bytes: int = Field(ge=1, description="How many it will be.", examples=[2_400_381])
    filename: str | None = Field(default=None, max_length=MAX_LENGTH, examples=["cat.jpg"])
    content_digest: str | None = Field(
        default=None, max_length=512, description="As in RFC 9530; compared when it is used.",
        examples=["sha-256=:n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=:"],
    )  # fmt: skip


class Begun(BaseModel):
    """An upload, and where to send it in one piece."""

    id: str = Field(description="For `POST /v1/images`.", examples=[EXAMPLE_ID])
    url: str = Field(
        description="If it begins with a slash it is this service's own and wants the API key as "
        "all else does. Else it leads into the store, needs none and must not be given one.",
        examples=[f"/v1/uploads/{EXAMPLE_ID}/content"],
    )
    method: Literal["PUT"] = "PUT"
    headers: dict[str, str] = Field(examples=[{"Content-Type": UNTOLD}])
    expires: datetime = Field(description="The upload, too, used or not.")


@router.options(
    "", operation_id="describeUploads", summary="What of tus is spoken", status_code=204,
    response_class=Response, responses=documented(),
)  # fmt: skip
async def describe_uploads(parts: PartsDep) -> Response:
    """Versions and extensions, in headers."""
    return Response(None, 204, {
        "Tus-Version": tus.VERSION, "Tus-Extension": tus.EXTENSIONS,
        "Tus-Max-Size": str(parts.settings.upload_max_bytes),
        "Tus-Checksum-Algorithm": ",".join(tus.HASHES),
    })  # fmt: skip


@router.post(
    "", operation_id="createUpload", summary="Begin an upload", status_code=201,
    response_model=Begun,
    responses={
        201: {"description": "`Location` says where to go on by tus, `url` where in one piece."},
        **documented("too_many_uploads", *SENDING, *ASKING),
    },
    openapi_extra={"requestBody": {"content": {
        JSON: {"schema": RequestedUpload.model_json_schema()},
        tus.PART: BINARY,
    }}},
)  # fmt: skip
async def create_upload(  # noqa: PLR0913  # the headers of tus
    *, request: Request, parts: PartsDep, tenant: WriterDep, version: SpokenDep,
    length: LengthDep = None, metadata: MetadataDep = "", checksum: ChecksumDep = None,
) -> Response:  # fmt: skip
    """Bring a photo in first, and say later what to do with it: `POST /v1/images` with its id.

    With `Tus-Resumable` as in [tus 1.0.0](https://tus.io), with a first part or without one; a
    connection that breaks costs only what was on its way. Without it, JSON announces an upload in
    one piece and the answer says where to PUT it. What is not used within a day is removed.
    """
    if version is None:
        upload = await _announced(request, parts, tenant)
    elif length is None:
        raise BadInput("invalid_option", "It is not there.", field="Upload-Length")
    else:
        summed = Checksum(checksum)
        upload = await _begun(parts, tenant, length, metadata)
        if kind_of(request) == tus.PART:
            upload = await _first_part(request, parts, upload, summed)
    headers = {"Location": f"/v1/uploads/{upload.id}", **tus.standing(upload)}
    url = await to_thread.run_sync(_url, parts, upload)
    shown = Begun(
        id=upload.id, url=url, headers={"Content-Type": UNTOLD}, expires=upload.expires_at
    )
    return Response(shown.model_dump_json(), 201, headers, media_type=JSON)


async def _announced(request: Request, parts: Parts, tenant: str) -> Upload:
    wanted = await read_json(request, RequestedUpload)
    if wanted is None:
        raise BadInput(
            "tus_version", f"The request has neither Tus-Resumable nor a body of {JSON}."
        )
    told = {"filename": wanted.filename, "content_digest": wanted.content_digest}
    return await _begun(parts, tenant, wanted.bytes, tus.written(told))


async def _begun(parts: Parts, tenant: str, length: int, metadata: str) -> Upload:
    """What would be refused when the upload is used is refused now."""
    told = tus.metadata(metadata)
    media_type(told.get("filetype"))
    ContentDigest(told.get("content_digest"))
    return await to_thread.run_sync(uploads.begin, parts, tenant, length, metadata)


async def _first_part(request: Request, parts: Parts, upload: Upload, checksum: Checksum) -> Upload:
    try:
        return await uploads.go_on(request, parts, upload, checksum)
    except BadInput:  # nobody will hear of it
        await to_thread.run_sync(
            uploads.remove, parts, upload.tenant, upload.id, limiter=parts.at_store
        )
        raise


def _url(parts: Parts, upload: Upload) -> str:
    key = upload_key(upload.tenant, upload.id, DIRECT)
    return parts.store.upload_url(key, LIFETIME) or f"/v1/uploads/{upload.id}/content"


@router.head(
    "/{upload_id}", operation_id="getUploadOffset", summary="Ask how far an upload is",
    response_class=Response,
    responses=documented("tus_version", *ASKING),
)  # fmt: skip
async def get_upload_offset(
    upload_id: UploadIdDep, parts: PartsDep, tenant: WriterDep, _: TusDep
) -> Response:
    """`Upload-Offset` is where to go on."""
    upload = await to_thread.run_sync(parts.ledger.upload, tenant, upload_id)
    told = {"Upload-Metadata": upload.metadata} if upload.metadata else {}
    length = {"Upload-Length": str(upload.length)}
    return Response(None, 200, {**length, **told, **tus.standing(upload)})


@router.patch(
    "/{upload_id}", operation_id="continueUpload", summary="Go on with an upload", status_code=204,
    response_class=Response, responses=documented(*SENDING, *ASKING),
    openapi_extra={"requestBody": {"required": True, "content": {tus.PART: BINARY}}},
)  # fmt: skip
async def continue_upload(  # noqa: PLR0913  # the headers of tus
    *, request: Request, upload_id: UploadIdDep, parts: PartsDep, tenant: WriterDep, _: TusDep,
    offset: OffsetDep, checksum: ChecksumDep = None,
) -> Response:  # fmt: skip
    """The next part. What comes before a connection breaks is kept, unless there is a checksum."""
    if kind_of(request) != tus.PART:
        raise BadInput("unsupported_content_type", f"Send parts as {tus.PART}.")
    summed = Checksum(checksum)
    upload = await to_thread.run_sync(parts.ledger.upload, tenant, upload_id)
    uploads.require_open(upload, offset)
    upload = await uploads.go_on(request, parts, upload, summed)
    return Response(None, 204, tus.standing(upload))


@router.delete(
    "/{upload_id}", operation_id="deleteUpload", summary="Delete an upload", status_code=204,
    responses=documented("tus_version", *ASKING),
)  # fmt: skip
async def delete_upload(
    upload_id: UploadIdDep, parts: PartsDep, tenant: WriterDep, _: SpokenDep
) -> None:
    """What it became, if it was used, stays."""
    await to_thread.run_sync(uploads.remove, parts, tenant, upload_id, limiter=parts.at_store)


@router.put(
    "/{upload_id}/content", operation_id="putUpload", summary="Send an upload in one piece",
    status_code=204,
    responses=documented(
        "length_mismatch", "digest_mismatch", "malformed_request", "body_too_large", "too_slow",
        "unsupported_content_type", "upload_used", "storage_full", *ASKING,
    ),
    openapi_extra={"requestBody": {"required": True, "content": {UNTOLD: BINARY}}},
)  # fmt: skip
async def put_upload(
    request: Request, upload_id: UploadIdDep, parts: PartsDep, tenant: WriterDep
) -> None:
    """As many bytes as were announced, in place of whatever came before."""
    upload = await to_thread.run_sync(parts.ledger.upload, tenant, upload_id)
    uploads.require_open(upload)
    await uploads.replace(request, parts, upload)
