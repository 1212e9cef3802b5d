"""``/v1/batches/{batch_id}/manifest``: where photos are that the service fetches itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog
from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from photoward.api.http.archives import line
from photoward.api.http.bulk import problem_of
from photoward.api.http.deps import BatchIdDep, Parts, PartsDep, RequestKeyDep, WriterDep
from photoward.api.http.errors import documented
from photoward.api.http.intake import JSON, kind_of, received
from photoward.api.http.lines import MAX_BYTES, Lines, Listed
from photoward.api.http.manifests import FILE, Checked, Manifest
from photoward.api.http.routes.batches import ASKING, NDJSON
from photoward.api.http.routes.images import NO_STORE
from photoward.api.http.sources import NAMED
from photoward.core.arrivals import Expected
from photoward.core.errors import BadInput, Overloaded
from photoward.core.jobs import State, new_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

router = APIRouter(prefix="/v1/batches", tags=["batches"])

READERS: dict[str, type[Lines | Listed]] = {NDJSON: Lines, JSON: Listed}

SOURCES = "; ".join(f"`{name}`: {what}" for name, what in NAMED.items())
LINES: dict[str, Any] = {
    "type": "array",
    "description": f"Objects with one source each ({SOURCES}), `{FILE}`, its name if not the "
    "source's own, and the options that `POST /v1/images` takes. Each is checked by itself.",
    "items": {},
}
BODY: dict[str, Any] = {
    "required": True,
    "content": {
        NDJSON: {"schema": {"type": "string", "description": "The same, an object a line."}},
        JSON: {"schema": LINES, "example": [{"key": "inbox/cats/1.jpg", "label": "cat"}]},
    },
}

log = structlog.get_logger("photoward.batches")


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
            "malformed_request", "queue_full", *ASKING,
        ),
    },
    openapi_extra={"requestBody": BODY},
)  # fmt: skip
async def upload_manifest(
    request: Request, batch_id: BatchIdDep, parts: PartsDep, tenant: WriterDep, key: RequestKeyDep
) -> Response:
    """Each line names one photo; one bad line never stops the rest.

    Its item is `received` until it has been fetched, and then `queued`; what cannot be fetched
    fails, and `…/retry` tries it again. A line that came before under the same `Idempotency-Key`
    is the item of then.
    """
    kind = kind_of(request)
    if kind not in READERS:
        raise BadInput("unsupported_content_type", f"Send {NDJSON} or {JSON}.")
    defaults = await to_thread.run_sync(parts.ledger.batch_options, tenant, batch_id)
    reader = READERS[kind]()
    with parts.admission.one_archive():
        async for chunk in received(request, MAX_BYTES, MAX_BYTES):
            reader.feed(chunk)
        name = f"{tenant}\0{batch_id}\0{key or new_id()}"
        manifest = Manifest(tenant, parts.kinds, parts.catalogue, defaults, name)
        told = await to_thread.run_sync(lambda: list(manifest.checked(reader.finish())))
        await to_thread.run_sync(_expect, parts, tenant, batch_id, told, parts.tracer.here())
    return StreamingResponse(_answer(told), media_type=NDJSON, headers=NO_STORE)


def _expect(
    parts: Parts, tenant: str, batch_id: str, told: Sequence[Checked], trace: str | None
) -> None:
    expected = [one.outcome for one in told if isinstance(one.outcome, Expected)]
    waiting = parts.ledger.depth().get(State.RECEIVED, 0)
    if waiting + len(expected) > parts.settings.max_arrivals:
        raise Overloaded(f"{waiting} photos are still to be fetched.")
    parts.ledger.expect(tenant, batch_id, expected, trace)
    parts.expecting.set()
    log.info("manifest", batch=batch_id, accepted=len(expected), lines=len(told))


def _answer(told: Sequence[Checked]) -> Iterator[bytes]:
    counts = {"accepted": 0, "refused": 0}
    for one in told:
        about: dict[str, Any] = {"line": one.number, "file": one.file}
        if isinstance(one.outcome, Expected):
            about["id"] = one.outcome.item_id
        else:
            about["problem"] = problem_of(one.outcome)
        counts["accepted" if "id" in about else "refused"] += 1
        yield line(about)
    yield line(counts)
