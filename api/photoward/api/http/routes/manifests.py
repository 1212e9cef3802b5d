"""``/v1/batches/{batch_id}/manifest``: where photos are that the service shall fetch itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from photoward.api.http.auth import WriterDep
from photoward.api.http.body.ndjson import NDJSON, read_manifest
from photoward.api.http.body.reader import JSON
from photoward.api.http.deps import BatchIdDep, IdempotencyKeyDep, ServicesDep
from photoward.api.http.errors import documented
from photoward.api.http.responses import NO_STORE, ndjson_line
from photoward.api.http.routes.batches import BATCH_REFUSALS, LINES
from photoward.api.http.schemas.batches import (
    MANIFEST_EXAMPLE,
    MANIFEST_LINES,
    MANIFEST_LIST,
    manifest_line,
)
from photoward.api.ingest.manifest import LineResult, import_manifest

router = APIRouter(prefix="/v1/batches", tags=["batches"])

BODY = {
    "required": True,
    "content": {
        NDJSON: MANIFEST_LINES,
        JSON: {"schema": MANIFEST_LIST, "example": MANIFEST_EXAMPLE},
    },
}


@router.post(
    "/{batch_id}/manifest",
    operation_id="uploadBatchManifest",
    summary="Upload a manifest",
    response_class=Response,
    responses={
        200: {
            "description": "A line of NDJSON for each line, with its `id` or its `problem`, and a "
            "last line with the counts. Images with an `id` will be fetched, even after a restart.",
            "content": LINES,
        },
        **documented(
            "unsupported_content_type",
            "body_too_large",
            "too_slow",
            "length_mismatch",
            "malformed_request",
            "request_differs",
            "batch_closed",
            "queue_full",
            *BATCH_REFUSALS,
        ),
    },
    openapi_extra={"requestBody": BODY},
)
async def upload_manifest(
    request: Request,
    batch_id: BatchIdDep,
    services: ServicesDep,
    tenant: WriterDep,
    key: IdempotencyKeyDep,
) -> Response:
    """The service fetches the photo of each line; a line that is refused does not stop the others.

    Its image is `queued`, first to be fetched and then for a worker; what cannot be fetched fails,
    and `…/retry` tries it again. The same manifest under the same `Idempotency-Key` gives
    the images of then; another one under it is refused.
    """
    defaults = await to_thread.run_sync(services.ledger.batches.get_defaults, tenant, batch_id)
    with services.admission.body_slot(tenant):
        lines = await read_manifest(request)
        results = await to_thread.run_sync(
            partial(import_manifest, services, tenant, batch_id, lines, defaults=defaults, key=key)
        )
    return StreamingResponse(_answer(results), media_type=NDJSON, headers=NO_STORE)


def _answer(results: Sequence[LineResult]) -> Iterator[bytes]:
    shown = [manifest_line(one) for one in results]
    yield from map(ndjson_line, shown)
    accepted = sum("id" in one for one in shown)
    yield ndjson_line({"accepted": accepted, "refused": len(shown) - accepted})
