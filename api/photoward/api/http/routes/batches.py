"""``/v1/batches``: many photos as one, in by upload or archive, out as a list or as a zip."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from functools import partial
from typing import IO, Annotated, Any

import structlog
from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from photoward.api.delivery.files import batch_files
from photoward.api.delivery.zip_stream import stream_zip
from photoward.api.http.auth import ReaderDep, WriterDep
from photoward.api.http.body.ndjson import NDJSON, read_manifest
from photoward.api.http.body.reader import (
    JSON,
    is_empty,
    is_small,
    media_type,
    read_json,
    receive,
    refuse_repeated_parameters,
)
from photoward.api.http.deps import (
    BatchIdDep,
    IdempotencyKeyDep,
    Services,
    ServicesDep,
    checked_callback,
)
from photoward.api.http.errors import documented
from photoward.api.http.pagination import (
    AfterDep,
    AfterIdDep,
    foreign_cursor,
    next_cursor,
    next_id_cursor,
)
from photoward.api.http.responses import NO_STORE, binary_content, ndjson_line, stream_in_thread
from photoward.api.http.schemas.batches import (
    MANIFEST_EXAMPLE,
    MANIFEST_LINES,
    Batch,
    BatchPage,
    CreateBatch,
    CreateBatchQuery,
    CreatedBatch,
    ManifestLine,
    create_batch_schema,
    file_line,
    manifest_line,
    result_line,
)
from photoward.api.http.schemas.images import Image, ImagePage
from photoward.api.ingest import batches
from photoward.api.ingest.archives.base import Archive
from photoward.api.ingest.archives.importer import ArchiveImporter, FileResult
from photoward.api.ingest.archives.tar import TarArchive, decompress
from photoward.api.ingest.archives.zip import ZipArchive
from photoward.api.ingest.details import parse_metadata, retention
from photoward.api.ingest.manifest import import_manifest, require_fetch_room
from photoward.api.ingest.ndjson import MAX_LIST_BYTES, as_lines
from photoward.api.ingest.options import merge_options
from photoward.api.ingest.spool import ANY_TYPE, write_failed
from photoward.core.errors import BadInput, NotFound
from photoward.core.jobs import BatchDefaults, Callback, Details, ImageState, Item, new_id

router = APIRouter(prefix="/v1/batches", tags=["batches"])

PAGE_SIZE = 100
LISTED_BATCHES, MAX_BATCHES = 20, 100
DETAILS = ("reference", "metadata", "callback_url", "expires_in_seconds")
UNPACKED = 4
"""How many times as large a zip may be when it is unpacked, file by file; a compressed tar, which
is unpacked as a whole, may not be larger than any other archive."""

ZIP, TAR, GZIP = "application/zip", "application/x-tar", "application/gzip"
BATCH_REFUSALS = ("unauthenticated", "forbidden", "not_found", "unavailable")
LINES = binary_content(NDJSON)

CREATE_BODY = {
    "required": False,
    "content": {
        JSON: {
            "schema": create_batch_schema(),
            "example": {"name": "cats", "images": MANIFEST_EXAMPLE},
        },
        NDJSON: MANIFEST_LINES,
    },
}

log = structlog.get_logger("photoward.batches")


@router.post(
    "",
    operation_id="createBatch",
    summary="Create a batch",
    status_code=201,
    responses=documented(
        "invalid_option",
        "unknown_method",
        "unknown_preset",
        "unknown_surrogate",
        "unknown_label",
        "request_differs",
        "unsupported_content_type",
        "body_too_large",
        "too_slow",
        "length_mismatch",
        "malformed_request",
        "queue_full",
        "unauthenticated",
        "forbidden",
        "unavailable",
    ),
    openapi_extra={"requestBody": CREATE_BODY},
)
async def create_batch(  # noqa: PLR0913  # what makes a batch
    *,
    request: Request,
    services: ServicesDep,
    tenant: WriterDep,
    key: IdempotencyKeyDep,
    query: Annotated[CreateBatchQuery, Query()],
    response: Response,
) -> CreatedBatch:
    """Without a body the batch is empty; with a manifest, the service fetches the photos it lists.

    Add photos with `POST /v1/images?batch=…`, or many at once in an archive. The body takes
    precedence over the query.
    """
    refuse_repeated_parameters(request)
    with nullcontext() if is_small(request) else services.admission.body_slot(tenant):
        body = await _read_create_batch(request)
        url = body.callback_url or query.callback_url
        callback = None if url is None else checked_callback(request, services, url)
        details = _details(services, query, body, callback)
        batch = await to_thread.run_sync(
            partial(_create, services, tenant, key, query, body, details)
        )
    response.headers.update({"Location": batch.links.self, **NO_STORE})
    return batch


async def _read_create_batch(request: Request) -> CreateBatch:
    if is_empty(request):
        return CreateBatch()
    body = await read_json(request, CreateBatch, MAX_LIST_BYTES)
    if body is None:
        return CreateBatch(images=await read_manifest(request))
    return body.model_copy(update={"images": as_lines(body.images)})


def _create(  # noqa: PLR0913, PLR0917  # what makes a batch
    services: Services,
    tenant: str,
    key: str | None,
    query: CreateBatchQuery,
    body: CreateBatch,
    details: Details,
) -> CreatedBatch:
    in_query, in_body = (
        one.model_dump(exclude_unset=True, exclude_none=True, exclude={"name", *DETAILS})
        for one in (query, body.options)
    )
    options = merge_options(in_query, in_body)
    services.catalogue.options(**options)
    if body.images:
        require_fetch_room(services, len(body.images))
    batch = services.ledger.batches.add(
        new_id(),
        tenant,
        body.name or query.name,
        options,
        idempotency_key=key,
        details=details,
    )
    if not body.images:
        return CreatedBatch.of(batch)
    defaults = BatchDefaults(options, details.retention_s)
    results = import_manifest(services, tenant, batch.id, body.images, defaults=defaults, key=key)
    created = CreatedBatch.of(services.ledger.batches.get(tenant, batch.id))
    created.lines = [ManifestLine(**manifest_line(one)) for one in results]
    return created


def _details(
    services: Services, query: CreateBatchQuery, body: CreateBatch, callback: Callback | None
) -> Details:
    notes = body.metadata
    if notes is None and query.metadata is not None:
        notes = parse_metadata(query.metadata)
    wanted_s = body.expires_in_seconds or query.expires_in_seconds
    if wanted_s is not None:
        wanted_s = retention(wanted_s, services.settings.retention_image_seconds)
    return Details(
        reference=body.reference or query.reference,
        metadata=notes or {},
        callback=callback,
        retention_s=wanted_s,
    )


@router.get(
    "",
    operation_id="listBatches",
    summary="List batches",
    responses=documented("invalid_option", "unauthenticated", "forbidden", "unavailable"),
)
async def list_batches(
    *,
    services: ServicesDep,
    tenant: ReaderDep,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=MAX_BATCHES)] = LISTED_BATCHES,
    after: AfterIdDep,
) -> BatchPage:
    """Newest first; batches that are created meanwhile come on no later page."""
    response.headers.update(NO_STORE)
    try:
        found = await to_thread.run_sync(
            lambda: services.ledger.batches.list_newest(tenant, before=after, limit=limit)
        )
    except NotFound:
        raise foreign_cursor() from None
    return BatchPage(
        items=[Batch.of(one) for one in found],
        next=next_id_cursor([one.id for one in found], limit),
    )


@router.get(
    "/{batch_id}",
    operation_id="getBatch",
    summary="Get a batch",
    responses=documented(*BATCH_REFUSALS),
)
async def get_batch(
    batch_id: BatchIdDep, services: ServicesDep, tenant: ReaderDep, response: Response
) -> Batch:
    """Images by state, the rate at which they end, and the estimated time left."""
    response.headers.update(NO_STORE)
    return Batch.of(await to_thread.run_sync(services.ledger.batches.get, tenant, batch_id))


@router.get(
    "/{batch_id}/images",
    operation_id="listBatchImages",
    summary="List a batch's images",
    responses=documented("invalid_option", *BATCH_REFUSALS),
)
async def list_batch_images(  # noqa: PLR0913  # what may be asked for
    *,
    batch_id: BatchIdDep,
    services: ServicesDep,
    tenant: ReaderDep,
    response: Response,
    state: Annotated[ImageState | None, Query(description="Only images in this state.")] = None,
    limit: Annotated[int, Query(ge=1, le=batches.PAGE_SIZE)] = PAGE_SIZE,
    after: AfterDep,
) -> ImagePage:
    """Page by page; images that are added meanwhile come on later pages."""
    response.headers.update(NO_STORE)
    states = None if state is None else state.internal
    found = await to_thread.run_sync(
        lambda: services.ledger.batches.list_items(
            tenant, batch_id, after=after, limit=limit, states=states
        )
    )
    return ImagePage(
        items=[Image.of(item) for _, item in found],
        next=next_cursor([seq for seq, _ in found], limit),
    )


@router.post(
    "/{batch_id}/close",
    operation_id="closeBatch",
    summary="Close a batch",
    responses=documented(*BATCH_REFUSALS),
)
async def close_batch(
    batch_id: BatchIdDep, services: ServicesDep, tenant: WriterDep, response: Response
) -> Batch:
    """It takes no more photos; `batch.completed` is sent as soon as all of its images have ended.

    Failed images can still be retried.
    """
    response.headers.update(NO_STORE)
    return Batch.of(await to_thread.run_sync(services.ledger.batches.close, tenant, batch_id))


@router.post(
    "/{batch_id}/cancel",
    operation_id="cancelBatch",
    summary="Cancel a batch",
    responses=documented(*BATCH_REFUSALS),
)
async def cancel_batch(
    batch_id: BatchIdDep, services: ServicesDep, tenant: WriterDep, response: Response
) -> Batch:
    """Images that have not ended become `canceled`; images that have succeeded stay."""
    response.headers.update(NO_STORE)
    batch = await to_thread.run_sync(
        batches.cancel_batch, services, tenant, batch_id, limiter=services.store_calls
    )
    return Batch.of(batch)


@router.post(
    "/{batch_id}/retry",
    operation_id="retryBatch",
    summary="Retry failed images",
    responses=documented("queue_full", "over_quota", "storage_full", *BATCH_REFUSALS),
)
async def retry_batch(
    batch_id: BatchIdDep, services: ServicesDep, tenant: WriterDep, response: Response
) -> Batch:
    """Images that failed through a fault of the service, within a day, are replaced by new ones.

    Images that cannot be protected stay failed: send another file.
    """
    await _require_batch(services, tenant, batch_id)
    await services.admission.check()
    response.headers.update(NO_STORE)
    await to_thread.run_sync(
        batches.retry_batch, services, tenant, batch_id, limiter=services.store_calls
    )
    return Batch.of(await to_thread.run_sync(services.ledger.batches.get, tenant, batch_id))


@router.post(
    "/{batch_id}/archive",
    operation_id="uploadBatchArchive",
    summary="Upload a zip or tar archive",
    response_class=Response,
    responses={
        200: {
            "description": "A line of NDJSON for each file, with its `id` or its `problem`, and a "
            "last line with the counts.",
            "content": LINES,
        },
        **documented(
            "unsupported_content_type",
            "body_too_large",
            "too_slow",
            "length_mismatch",
            "corrupt",
            "malformed_request",
            "queue_full",
            "storage_full",
            "batch_closed",
            *BATCH_REFUSALS,
        ),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": binary_content(ZIP, TAR, GZIP),
        }
    },
)
async def upload_archive(  # noqa: PLR0913  # what may be said of it
    *,
    request: Request,
    batch_id: BatchIdDep,
    services: ServicesDep,
    tenant: WriterDep,
    key: IdempotencyKeyDep,
    labels_from_folders: Annotated[
        bool, Query(description="Use a file's folder as its label, if it has no other.")
    ] = False,
) -> Response:
    """Each file becomes an image; a file that is refused does not stop the others.

    A `manifest.ndjson` in the archive may give options for single files, one object per line:
    `{"file": "a/b.jpg", "label": "cat"}`. If the answer breaks off, send the archive again with the
    same `Idempotency-Key`: each file is submitted once.
    """
    if media_type(request) not in {ZIP, TAR, GZIP, ANY_TYPE}:
        raise BadInput("unsupported_content_type", f"Send {ZIP}, {TAR}, {GZIP} or {ANY_TYPE}.")
    defaults = await to_thread.run_sync(services.ledger.batches.get_defaults, tenant, batch_id)
    await services.admission.check()
    closing = ExitStack()
    try:
        closing.enter_context(services.admission.body_slot(tenant))
        archive = await _receive_archive(request, services, closing)
        lines = await to_thread.run_sync(archive.manifest)
    except BaseException:
        closing.close()
        raise
    importer = ArchiveImporter(
        services, tenant, batch_id, defaults, label_by_folder=labels_from_folders, key=key
    )
    count_refused = partial(services.ledger.batches.count_refused, tenant, batch_id)
    answer = _archive_answer(importer.run(archive, lines), batch_id, closing, count_refused)
    body = stream_in_thread(answer, services.store_calls)
    return StreamingResponse(body, media_type=NDJSON, headers=NO_STORE)


async def _receive_archive(
    request: Request, services: Services, closing: ExitStack
) -> Archive[Any]:
    """An opened archive in a temporary file, which ``closing`` closes."""
    limit = services.settings.upload_max_archive_bytes
    file = closing.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  # closing does
    async for chunk in receive(request, limit, limit):
        try:
            await to_thread.run_sync(file.write, chunk)
        except OSError as error:
            raise write_failed(error, "archive") from error
    return await to_thread.run_sync(_open_archive, media_type(request), file, limit, closing)


def _open_archive(
    archive_type: str, file: IO[bytes], limit: int, closing: ExitStack
) -> Archive[Any]:
    if archive_type == ANY_TYPE:
        file.seek(0)
        archive_type = _archive_type(file.read(4))
    if archive_type == ZIP:
        return ZipArchive(file, UNPACKED * limit)
    if archive_type == GZIP:
        file = closing.enter_context(decompress(file, limit))
    return TarArchive(file)


def _archive_type(head: bytes) -> str:
    """By its first bytes; a tar has none of its own there."""
    if head.startswith(b"PK"):
        return ZIP
    return GZIP if head.startswith(b"\x1f\x8b") else TAR


def _archive_answer(
    results: Iterator[FileResult],
    batch_id: str,
    closing: ExitStack,
    count_refused: Callable[[int], None],
) -> Iterator[bytes]:
    """A line for each result and one that counts them; closes the archive."""
    counts = {"accepted": 0, "refused": 0}
    closing.callback(lambda: count_refused(counts["refused"]))  # of what breaks off, too
    with closing:
        for result in results:
            counts["accepted" if isinstance(result.outcome, str) else "refused"] += 1
            yield ndjson_line(file_line(result))
        log.info("archive", batch=batch_id, **counts)
        yield ndjson_line(counts)


@router.get(
    "/{batch_id}/results",
    operation_id="getBatchResults",
    summary="List all results",
    response_class=Response,
    responses={
        200: {"description": "A line of NDJSON for each image.", "content": LINES},
        **documented(*BATCH_REFUSALS),
    },
)
async def get_results(batch_id: BatchIdDep, services: ServicesDep, tenant: ReaderDep) -> Response:
    """Each image with its state and the path of its file, or its problem."""
    await _require_batch(services, tenant, batch_id)
    images = batches.iter_images(services.ledger, tenant, batch_id)
    return StreamingResponse(map(_result, images), media_type=NDJSON, headers=NO_STORE)


@router.get(
    "/{batch_id}/archive",
    operation_id="downloadBatchArchive",
    summary="Download all files as a zip",
    response_class=Response,
    responses={
        200: {
            "description": "The files of images that have succeeded, and `results.ndjson`.",
            "content": binary_content(ZIP),
            "headers": {
                "Batch-Complete": {
                    "schema": {"enum": ["?1", "?0"]},
                    "description": "`?0`: not all images have ended; the file is named `-partial`.",
                }
            },
        },
        **documented(*BATCH_REFUSALS),
    },
)
async def download_archive(
    batch_id: BatchIdDep, services: ServicesDep, tenant: ReaderDep
) -> Response:
    """File names and folders are those of the originals; files are stored uncompressed."""
    batch = await to_thread.run_sync(services.ledger.batches.get, tenant, batch_id)
    complete = batch.ended == batch.total
    name = f"batch-{batch_id[:8]}{'' if complete else '-partial'}.zip"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Batch-Complete": f"?{complete:d}",
        **NO_STORE,
    }
    files = batch_files(services.ledger, services.store, tenant, batch_id, _result)
    chunks = stream_in_thread(stream_zip(files), services.store_calls)
    return StreamingResponse(chunks, media_type=ZIP, headers=headers)


def _result(item: Item) -> bytes:
    return ndjson_line(result_line(item))


async def _require_batch(services: Services, tenant: str, batch_id: str) -> None:
    """Raises NotFound."""
    await to_thread.run_sync(services.ledger.batches.get_options, tenant, batch_id)
