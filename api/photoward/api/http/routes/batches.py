"""``/v1/batches``: many photos as one, in by upload or archive, out as a list or as a zip."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, nullcontext
from typing import IO, Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from photoward.api.http.body.manifest import (
    EXAMPLE,
    LINED,
    LISTED,
    NDJSON,
    expect,
    read_lines,
    require_room,
)
from photoward.api.http.body.reader import (
    JSON,
    is_empty,
    is_small,
    kind_of,
    read_json,
    received,
    refuse_repeats,
)
from photoward.api.http.deps import BatchIdDep, Parts, PartsDep, ReaderDep, RequestKeyDep, WriterDep
from photoward.api.http.errors import documented
from photoward.api.http.pagination import PlaceDep, following
from photoward.api.http.responses import streamed
from photoward.api.http.routes.images import NO_STORE
from photoward.api.http.schemas.images import (
    Batch,
    Image,
    MadeBatch,
    ManifestLine,
    RequestedBatch,
    RequestedList,
    requested_batch,
)
from photoward.api.ingest.archives import base as archives
from photoward.api.ingest.archives import importer as bulk
from photoward.api.ingest.archives.base import Archive
from photoward.api.ingest.archives.tar import Untarred, gunzipped
from photoward.api.ingest.archives.zip import Unzipped
from photoward.api.ingest.json_lines import MAX_JSON, entries
from photoward.api.ingest.options import merged
from photoward.api.ingest.spool import no_room
from photoward.core import jobs
from photoward.core.errors import BadInput
from photoward.core.jobs import State, new_id
from photoward.core.object_keys import original_key

router = APIRouter(prefix="/v1/batches", tags=["batches"])

PAGE = 100
UNPACKED = 4
"""How many times as large a zip may be when it is unpacked, file by file; a compressed tar, which
is unpacked as a whole, may not be larger than any other archive."""

ZIP, TAR, GZIP = "application/zip", "application/x-tar", "application/gzip"
ASKING = ("unauthenticated", "forbidden", "not_found", "unavailable")
STREAM: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}

MAKING = {
    "required": False,
    "content": {
        JSON: {"schema": requested_batch(LISTED), "example": {"name": "cats", "items": EXAMPLE}},
        NDJSON: LINED,
    },
}


class Items(BaseModel):
    """A page of a batch's items, in the order of arrival."""

    items: list[Image]
    next: str | None = Field(description="`cursor` of the next page; none after the last.")


@router.post(
    "", operation_id="createBatch", summary="Make a batch", status_code=201,
    responses=documented(
        "invalid_option", "unknown_method", "unknown_preset", "unknown_surrogate", "unknown_label",
        "request_differs", "unsupported_content_type", "body_too_large", "too_slow",
        "length_mismatch", "malformed_request", "queue_full", "unauthenticated", "forbidden",
        "unavailable",
    ),
    openapi_extra={"requestBody": MAKING},
)  # fmt: skip
async def create_batch(  # noqa: PLR0913  # what makes a batch
    *, request: Request, parts: PartsDep, tenant: WriterDep, key: RequestKeyDep,
    query: Annotated[RequestedList, Query()], response: Response,
) -> MadeBatch:  # fmt: skip
    """Empty, as without a body, or with a manifest of photos that are to be fetched.

    Then hand photos in with `POST /v1/images?batch=…`, or many at once in an archive. What the
    body says goes before what the query says.
    """
    refuse_repeats(request)
    with nullcontext() if is_small(request) else parts.admission.one_archive(tenant):
        if is_empty(request):
            wanted = RequestedBatch()
        elif (asked := await read_json(request, RequestedBatch, MAX_JSON)) is not None:
            wanted = asked.model_copy(update={"items": entries(asked.items)})
        else:
            wanted = RequestedBatch(items=await read_lines(request))
        made = await to_thread.run_sync(_make, parts, tenant, key, query, wanted)
    response.headers.update({"Location": made.links.self, **NO_STORE})
    return made


def _make(
    parts: Parts, tenant: str, key: str | None, query: RequestedList, wanted: RequestedBatch
) -> MadeBatch:
    asked, own = (
        one.model_dump(exclude_unset=True, exclude_none=True) for one in (query, wanted.options)
    )
    name = asked.pop("name", "")
    options = merged(asked, own)
    parts.catalogue.options(**options)
    if wanted.items:
        require_room(parts, len(wanted.items))
    made = parts.ledger.add_batch(new_id(), tenant, wanted.name or name, options, request=key)
    if not wanted.items:
        return MadeBatch.of(made)
    told = expect(parts, tenant, made.id, wanted.items, defaults=options, key=key)
    shown = MadeBatch.of(parts.ledger.batch(tenant, made.id))
    shown.lines = [ManifestLine(**one) for one in told]
    return shown


@router.get(
    "/{batch_id}", operation_id="getBatch", summary="Ask how a batch stands",
    responses=documented(*ASKING),
)  # fmt: skip
async def get_batch(
    batch_id: BatchIdDep, parts: PartsDep, tenant: ReaderDep, response: Response
) -> Batch:
    """Items by state, how fast they end, and when all will have."""
    response.headers.update(NO_STORE)
    return Batch.of(await to_thread.run_sync(parts.ledger.batch, tenant, batch_id))


@router.get(
    "/{batch_id}/items", operation_id="listBatchItems", summary="List a batch's items",
    responses=documented("invalid_option", *ASKING),
)  # fmt: skip
async def list_batch_items(  # noqa: PLR0913  # what may be asked for
    *, batch_id: BatchIdDep, parts: PartsDep, tenant: ReaderDep, response: Response,
    state: Annotated[State | None, Query(description="Only those.")] = None,
    limit: Annotated[int, Query(ge=1, le=bulk.LONGEST_PAGE)] = PAGE, place: PlaceDep,
) -> Items:  # fmt: skip
    """Page by page; what is handed in meanwhile comes on later pages."""
    response.headers.update(NO_STORE)
    found = await to_thread.run_sync(
        lambda: parts.ledger.batch_items(tenant, batch_id, after=place, limit=limit, state=state)
    )
    return Items(
        items=[Image.of(item) for _, item in found],
        next=following([seq for seq, _ in found], limit),
    )


@router.post(
    "/{batch_id}/cancel", operation_id="cancelBatch", summary="Stop a batch",
    responses=documented(*ASKING),
)  # fmt: skip
async def cancel_batch(
    batch_id: BatchIdDep, parts: PartsDep, tenant: WriterDep, response: Response
) -> Batch:
    """What has not ended ends as cancelled; what is done stays."""
    response.headers.update(NO_STORE)
    stands = await to_thread.run_sync(_cancel, parts, tenant, batch_id, limiter=parts.at_store)
    return Batch.of(stands)


@router.post(
    "/{batch_id}/retry", operation_id="retryBatch", summary="Try again what failed",
    responses=documented("queue_full", "over_quota", "storage_full", *ASKING),
)  # fmt: skip
async def retry_batch(
    batch_id: BatchIdDep, parts: PartsDep, tenant: WriterDep, response: Response
) -> Batch:
    """Only what failed by our fault, within a day: fresh items take the failed ones' places.

    What cannot be protected stays failed: send another file.
    """
    await to_thread.run_sync(parts.ledger.batch_options, tenant, batch_id)  # is it there?
    await parts.admission.check()
    response.headers.update(NO_STORE)
    await to_thread.run_sync(bulk.retry, parts, tenant, batch_id, limiter=parts.at_store)
    return Batch.of(await to_thread.run_sync(parts.ledger.batch, tenant, batch_id))


@router.post(
    "/{batch_id}/archive", operation_id="uploadBatchArchive", summary="Hand in a zip or tar",
    response_class=Response,
    responses={
        200: {
            "description": "A line of NDJSON for each file, with its `id` or its `problem`, and a "
            "last one that counts them.",
            "content": {NDJSON: {"schema": {"type": "string"}}},
        },
        **documented(
            "unsupported_content_type", "body_too_large", "too_slow", "length_mismatch", "corrupt",
            "malformed_request", "queue_full", "storage_full", *ASKING,
        ),
    },
    openapi_extra={
        "requestBody": {"required": True, "content": dict.fromkeys((ZIP, TAR, GZIP), STREAM)}
    },
)  # fmt: skip
async def upload_archive(  # noqa: PLR0913  # what may be said of it
    *, request: Request, batch_id: BatchIdDep, parts: PartsDep, tenant: WriterDep,
    key: RequestKeyDep, labels_from_folders: Annotated[
        bool, Query(description="A file's folder is its label, where nothing else says one.")
    ] = False,
) -> Response:  # fmt: skip
    """Each file becomes an item; one bad file never stops the rest.

    A `manifest.ndjson` in it may give single files options of their own: one object a line,
    `{"file": "a/b.jpg", "label": "cat"}`. Of an archive that is sent again under the same
    `Idempotency-Key`, because its answer broke off, each file is handed in once.
    """
    kind = kind_of(request)
    if kind not in {ZIP, TAR, GZIP}:
        raise BadInput("unsupported_content_type", f"Send {ZIP}, {TAR} or {GZIP}.")
    defaults = await to_thread.run_sync(parts.ledger.batch_options, tenant, batch_id)
    await parts.admission.check()
    most = parts.settings.upload_max_archive_bytes
    closing = ExitStack()
    try:
        closing.enter_context(parts.admission.one_archive(tenant))
        file = closing.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  # closing does
        async for chunk in received(request, most, most):
            try:
                await to_thread.run_sync(file.write, chunk)
            except OSError as error:
                raise no_room(error, "archive") from error
        archive = await to_thread.run_sync(_opened, kind, file, most, closing)
        intake = bulk.Unpacking(
            parts, tenant, batch_id, defaults, by_folder=labels_from_folders, key=key
        )
        lines = await to_thread.run_sync(archive.manifest)
    except BaseException:
        closing.close()
        raise
    told = streamed(intake.hand_in(archive, lines, closing), parts.at_store)
    return StreamingResponse(told, media_type=NDJSON, headers=NO_STORE)


def _opened(kind: str, file: IO[bytes], most: int, closing: ExitStack) -> Archive[Any]:
    if kind == ZIP:
        return Unzipped(file, UNPACKED * most)
    return Untarred(closing.enter_context(gunzipped(file, most)) if kind == GZIP else file)


@router.get(
    "/{batch_id}/results", operation_id="getBatchResults", summary="All results as a list",
    response_class=Response,
    responses={200: {"description": "A line of NDJSON for each item.",
                     "content": {NDJSON: {"schema": {"type": "string"}}}}, **documented(*ASKING)},
)  # fmt: skip
async def get_results(batch_id: BatchIdDep, parts: PartsDep, tenant: ReaderDep) -> Response:
    """Every item as it stands: where its file is, or why there is none."""
    await to_thread.run_sync(parts.ledger.batch_options, tenant, batch_id)  # is it there?
    lines = (archives.line(bulk.result(item)) for item in bulk.every(parts, tenant, batch_id))
    return StreamingResponse(lines, media_type=NDJSON, headers=NO_STORE)


@router.get(
    "/{batch_id}/archive", operation_id="downloadBatchArchive", summary="All files as a zip",
    response_class=Response,
    responses={
        200: {
            "description": "What is done by now, and `results.ndjson`.", "content": {ZIP: STREAM},
            "headers": {"Batch-Complete": {
                "schema": {"enum": ["?1", "?0"]},
                "description": "`?0`: more may come; the file's name says so, too.",
            }},
        },
        **documented(*ASKING),
    },
)  # fmt: skip
async def download_archive(batch_id: BatchIdDep, parts: PartsDep, tenant: ReaderDep) -> Response:
    """Names and folders as they came; the files are not compressed again."""
    stands = await to_thread.run_sync(parts.ledger.batch, tenant, batch_id)
    complete = stands.ended == stands.total
    name = f"batch-{batch_id[:8]}{'' if complete else '-partial'}.zip"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Batch-Complete": f"?{complete:d}", **NO_STORE,
    }  # fmt: skip
    chunks = streamed(archives.zipped(bulk.files(parts, tenant, batch_id)), parts.at_store)
    return StreamingResponse(chunks, media_type=ZIP, headers=headers)


def _cancel(parts: Parts, tenant: str, batch_id: str) -> jobs.Batch:
    for item in parts.ledger.cancel_batch(tenant, batch_id):
        if item.state is State.RECEIVED:
            continue
        parts.store.delete(original_key(tenant, item.id))
    return parts.ledger.batch(tenant, batch_id)
