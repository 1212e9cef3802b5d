"""Progress as it happens: what a GET would tell, told again whenever it has changed.

Each event is the whole of it, so that nothing is missed by who was away. Server-sent events:
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

from photoward.api.http.deps import BatchIdDep, ItemIdDep, PartsDep, ReaderDep
from photoward.api.http.errors import documented
from photoward.api.http.routes.images import NO_STORE, shown
from photoward.api.http.schemas.images import Batch
from photoward.core.errors import NotFound, Overloaded, Unavailable
from photoward.core.jobs import FINAL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from photoward.api.http.deps import Parts

router = APIRouter(tags=["events"])

EVERY_S = 1.0
"""Between two looks at the ledger."""
PING_S = 15.0
"""Longest silence: proxies close what says nothing."""
LONGEST_S = 600.0
"""Then the stream ends; browsers come again by themselves."""

ASKING = ("unauthenticated", "forbidden", "not_found", "queue_full", "unavailable")
STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "An event `progress` for each change; its `data` is what GET would tell.",
        "content": {"text/event-stream": {}},
    },
    204: {"description": "It has ended, and the event of `Last-Event-ID` told so."},
    **documented(*ASKING),
}

LastDep = Annotated[
    str | None, Header(alias="Last-Event-ID", description="The id of the last event seen.")
]


@router.get(
    "/v1/images/{image_id}/events", operation_id="watchImage", summary="Watch a photo",
    response_class=Response, responses=STREAM,
)  # fmt: skip
async def watch_image(
    request: Request, image_id: ItemIdDep, parts: PartsDep, tenant: ReaderDep, last: LastDep = None
) -> Response:
    """State, stage and place in the queue, until it has ended."""

    def look() -> tuple[str, bool]:
        image = shown(parts, tenant, image_id)
        return image.model_dump_json(), image.state in FINAL

    return await _told(request, parts, tenant, look, last)


@router.get(
    "/v1/batches/{batch_id}/events", operation_id="watchBatch", summary="Watch a batch",
    response_class=Response, responses=STREAM,
)  # fmt: skip
async def watch_batch(
    request: Request, batch_id: BatchIdDep, parts: PartsDep, tenant: ReaderDep, last: LastDep = None
) -> Response:
    """Items by state, rate and time left, until all of its items have ended."""

    def look() -> tuple[str, bool]:
        batch = parts.ledger.batch(tenant, batch_id)
        return Batch.of(batch).model_dump_json(), batch.ended == batch.total

    return await _told(request, parts, tenant, look, last)


async def _told(
    request: Request, parts: Parts, tenant: str, look: Callable[[], tuple[str, bool]],
    last: str | None,
) -> Response:  # fmt: skip
    parts.admission.check_listener(tenant)
    first = await to_thread.run_sync(look)
    if first[1] and last == _id(first[0]):
        return Response(status_code=204)  # browsers do not come again after this

    async def events() -> AsyncIterator[bytes]:
        # Many may have been let in at once: the last of them hear nothing, and come again.
        with suppress(Overloaded), parts.admission.one_listener(tenant):
            told, spoke, until = last, time.monotonic(), time.monotonic() + LONGEST_S
            seen: tuple[str, bool] = first
            while True:
                if _id(seen[0]) != told:
                    told, spoke = _id(seen[0]), time.monotonic()
                    yield format_sse_event(event="progress", data_str=seen[0], id=told)
                if seen[1] or time.monotonic() > until or await request.is_disconnected():
                    return
                if time.monotonic() - spoke > PING_S:
                    spoke = time.monotonic()
                    yield KEEPALIVE_COMMENT
                await asyncio.sleep(EVERY_S)
                try:
                    seen = await to_thread.run_sync(look)
                except (NotFound, Unavailable):  # whoever comes again is told in an answer
                    return

    return EventSourceResponse(events(), headers={**NO_STORE, "X-Accel-Buffering": "no"})


def _id(data: str) -> str:
    return hashlib.sha256(data.encode()).hexdigest()[:16]
