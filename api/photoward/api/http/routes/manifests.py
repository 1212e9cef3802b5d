"""``/v1/batches/{batch_id}/manifest``: where photos are that the service fetches itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from photoward.api.http.body.manifest import EXAMPLE, LINED, LISTED, NDJSON, expect, read_lines
from photoward.api.http.body.reader import JSON
from photoward.api.http.deps import BatchIdDep, PartsDep, RequestKeyDep, WriterDep
from photoward.api.http.errors import documented
from photoward.api.http.routes.batches import ASKING
from photoward.api.http.routes.images import NO_STORE
from photoward.api.ingest.archives.base import line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

router = APIRouter(prefix="/v1/batches", tags=["batches"])

BODY = {"required": True, "content": {NDJSON: LINED, JSON: {"schema": LISTED, "example": EXAMPLE}}}


@router.post(
    "/{batch_id}/manifest", operation_id="uploadBatchManifest",
    summary="Have photos fetched", response_class=Response,
    responses={
        200: {
            "description": "A line of NDJSON for each line, with its `id` or its `problem`, and a "
            "last one that counts them. What has an `id` will be fetched, whatever happens.",
            "content": {NDJSON: {"schema": {"type": "string"}}},
        },
        **documented(
            "unsupported_content_type", "body_too_large", "too_slow", "length_mismatch",
            "malformed_request", "request_differs", "queue_full", *ASKING,
        ),
    },
    openapi_extra={"requestBody": BODY},
)  # fmt: skip
async def upload_manifest(
    request: Request, batch_id: BatchIdDep, parts: PartsDep, tenant: WriterDep, key: RequestKeyDep
) -> Response:
    """Each line names one photo; one bad line never stops the rest.

    Its item is `received` until it has been fetched, and then `queued`; what cannot be fetched
    fails, and `…/retry` tries it again. The same manifest under the same `Idempotency-Key` gives
    the items of then; another one under it is refused.
    """
    defaults = await to_thread.run_sync(parts.ledger.batch_options, tenant, batch_id)
    with parts.admission.one_archive(tenant):
        lines = await read_lines(request)
        told = await to_thread.run_sync(
            lambda: expect(parts, tenant, batch_id, lines, defaults=defaults, key=key)
        )
    return StreamingResponse(_answer(told), media_type=NDJSON, headers=NO_STORE)


def _answer(told: Sequence[dict[str, Any]]) -> Iterator[bytes]:
    yield from map(line, told)
    accepted = sum("id" in one for one in told)
    yield line({"accepted": accepted, "refused": len(told) - accepted})
