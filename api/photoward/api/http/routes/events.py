"""Progress as it happens: what a GET would answer, sent again whenever it has changed.

Each event is the whole state, so that a client that was away misses nothing. Server-sent events:
https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Header, Request, Response
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event

from photoward.api.http.auth import OwnReaderDep, ReaderDep
from photoward.api.http.deps import BatchIdDep, ImageIdDep, Services, ServicesDep
from photoward.api.http.errors import documented
from photoward.api.http.responses import NO_STORE
from photoward.api.http.routes.images import load_image
from photoward.api.http.schemas.batches import Batch
from photoward.core.errors import NotFound, Overloaded, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

router = APIRouter(tags=["events"])

POLL_INTERVAL_S = 1.0
"""Between two queries of the ledger."""
KEEPALIVE_S = 15.0
"""Longest silence: proxies close connections on which nothing is sent."""
MAX_STREAM_S = 600.0
"""Then the stream ends; browsers connect again by themselves."""

STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "An event `progress` for each change; its `data` is the body of the GET.",
        "content": {"text/event-stream": {}},
    },
    204: {"description": "It has ended, and the event with `Last-Event-ID` was the last one."},
    **documented("unauthenticated", "forbidden", "not_found", "queue_full", "unavailable"),
}

LastEventIdDep = Annotated[
    str | None,
    Header(alias="Last-Event-ID", description="The id of the last event that the client received."),
]

Snapshot = tuple[str, bool]
"""The event's data, and whether it is the last event."""


@router.get(
    "/v1/images/{image_id}/events",
    operation_id="watchImage",
    summary="Watch an image",
    response_class=Response,
    responses=STREAM,
)
async def watch_image(
    request: Request,
    image_id: ImageIdDep,
    services: ServicesDep,
    tenant: OwnReaderDep,
    last_event_id: LastEventIdDep = None,
) -> Response:
    """Server-sent events with state, stage and position in the queue, until the image has ended."""

    def load() -> Snapshot:
        image = load_image(services, tenant, image_id)
        return image.model_dump_json(), image.state.is_final

    return await _event_stream(request, services, tenant, load, last_event_id)


@router.get(
    "/v1/batches/{batch_id}/events",
    operation_id="watchBatch",
    summary="Watch a batch",
    response_class=Response,
    responses=STREAM,
)
async def watch_batch(
    request: Request,
    batch_id: BatchIdDep,
    services: ServicesDep,
    tenant: ReaderDep,
    last_event_id: LastEventIdDep = None,
) -> Response:
    """Server-sent events with images by state, rate and time left, until all images have ended."""

    def load() -> Snapshot:
        batch = services.ledger.batches.get(tenant, batch_id)
        return Batch.of(batch).model_dump_json(), batch.ended == batch.total

    return await _event_stream(request, services, tenant, load, last_event_id)


async def _event_stream(
    request: Request,
    services: Services,
    tenant: str,
    load: Callable[[], Snapshot],
    last_event_id: str | None,
) -> Response:
    services.admission.check_event_streams(tenant)
    first = await to_thread.run_sync(load)
    if first[1] and last_event_id == _event_id(first[0]):
        return Response(status_code=204)  # browsers do not connect again after this

    async def events() -> AsyncIterator[bytes]:
        # Many may have passed the check at once: the last of them get nothing, and connect again.
        with suppress(Overloaded), services.admission.event_stream_slot(tenant):
            sent_id, sent_at, until = (
                last_event_id,
                time.monotonic(),
                time.monotonic() + MAX_STREAM_S,
            )
            data, is_last = first
            while True:
                if _event_id(data) != sent_id:
                    sent_id, sent_at = _event_id(data), time.monotonic()
                    yield format_sse_event(event="progress", data_str=data, id=sent_id)
                if is_last or time.monotonic() > until or await request.is_disconnected():
                    return
                if time.monotonic() - sent_at > KEEPALIVE_S:
                    sent_at = time.monotonic()
                    yield KEEPALIVE_COMMENT
                await asyncio.sleep(POLL_INTERVAL_S)
                try:
                    data, is_last = await to_thread.run_sync(load)
                except (NotFound, Unavailable):  # the next connection gets a problem
                    return

    return EventSourceResponse(events(), headers={**NO_STORE, "X-Accel-Buffering": "no"})


def _event_id(data: str) -> str:
    return hashlib.sha256(data.encode()).hexdigest()[:16]
