"""``/v1/protect``: a photo in, the protected file out, for clients that cannot poll.

Of whatever ends without the file nothing is kept, and of the rest what the client asks for.
"""

from __future__ import annotations

import hashlib
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Annotated

import structlog
from anyio import CancelScope, to_thread
from fastapi import APIRouter, Query, Request, Response

from photoward.api.delivery.files import select_file
from photoward.api.http.auth import WriterDep
from photoward.api.http.deps import IdempotencyKeyDep, Services, ServicesDep
from photoward.api.http.errors import documented, problem_response
from photoward.api.http.headers.accept import FILE as FILE_FORM
from photoward.api.http.headers.accept import ZIP, preferred_form
from photoward.api.http.headers.prefer import parse_wait_s, wants_async
from photoward.api.http.responses import accepted
from photoward.api.http.routes.content import FILES, file_response, files_response
from photoward.api.http.routes.images import (
    IMAGE_BODY,
    IMAGE_PARAMETERS,
    IMAGE_REFUSALS,
    submit,
)
from photoward.api.http.schemas.images import Image, ProtectQuery, problem_of
from photoward.api.http.schemas.problems import Problem
from photoward.api.http.waiting import wait_until_ended
from photoward.api.ingest.submit import delete_image
from photoward.core.errors import NotFound, Unavailable
from photoward.core.jobs import FINAL_STATES, Item

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

router = APIRouter(tags=["images"])

REPEATABLE_S = 3600
"""How long a file is kept for requests that repeat an Idempotency-Key."""

PARAMETERS = [
    {
        "name": "Prefer",
        "in": "header",
        "required": False,
        "schema": {"type": "string"},
        "description": "`wait=N`: wait at most N seconds. `respond-async`: keep what takes longer, "
        "and respond with 202 and the image; without `wait` at once.",
        "example": "respond-async, wait=20",
    },
    *(one for one in IMAGE_PARAMETERS if one["name"] != "Prefer"),
]

log = structlog.get_logger("photoward.protect")


@router.post(
    "/v1/protect",
    operation_id="protect",
    summary="Protect a photo and wait for the file",
    response_class=Response,
    responses={
        200: FILES,
        202: {
            "model": Image,
            "description": "With `Prefer: respond-async` only: it takes longer; poll the URL in "
            "`Location`.",
        },
        **documented(
            *IMAGE_REFUSALS,
            "corrupt",
            "unsupported_output",
            "postcondition",
            "worker_lost",
            "not_in_time",
        ),
    },
    openapi_extra={"requestBody": IMAGE_BODY, "parameters": PARAMETERS},
)
async def protect(
    request: Request,
    services: ServicesDep,
    tenant: WriterDep,
    key: IdempotencyKeyDep,
    query: Annotated[ProtectQuery, Query()],
) -> Response:
    """As `POST /v1/images`, but the response is the protected file, and the image is then deleted.

    It is deleted as well if it fails, takes too long or the client disconnects: of what ends
    without a 200 nothing is kept. `keep=true` keeps what ends with one. With
    `Prefer: respond-async` an image that takes longer is kept, and the response is a 202.

    With an `Idempotency-Key` what ends with a 200 is kept for an hour: the same request with the
    same key gets the same bytes, and nothing is made anew.

    With `renditions` the response is a zip of them, `NAME.EXTENSION` each, or with
    `Accept: multipart/mixed` one part for each.
    """
    preferred = request.headers.getlist("prefer")
    respond_async = wants_async(preferred)
    wait_s = _wait_s(parse_wait_s(preferred), services, respond_async=respond_async)
    if key is not None:
        key = hashlib.sha256(f"protect {key}".encode()).hexdigest()
        query = _kept_for_repeats(query, services)
    async with AsyncExitStack() as afterwards:
        item = await submit(request, services, tenant, query, key)
        afterwards.push_async_callback(_delete, services, item)
        try:
            item = await wait_until_ended(request, services.ledger, item, wait_s)
        except NotFound:
            if key is None:
                raise
            detail = "Another request with this Idempotency-Key ended without the file."
            return problem_response(Problem.of("not_in_time", detail))
        if item.state not in FINAL_STATES:
            if respond_async and not await request.is_disconnected():
                afterwards.pop_all()
                return accepted(item, {"Preference-Applied": "respond-async"})
            detail = f"It was not finished within {wait_s:g} seconds."
            return problem_response(Problem.of("not_in_time", detail))
        problem = problem_of(item)
        if problem is not None:
            return problem_response(problem)
        response = await _files(request, services, item)
        if query.keep:
            response.headers["Content-Location"] = f"/v1/images/{item.id}"
        if query.keep or key is not None:
            afterwards.pop_all()
        return ResponseWithCleanup(response, afterwards.pop_all())


class ResponseWithCleanup(Response):
    """A response, and what is done when it has been sent or cannot be."""

    def __init__(self, response: Response, afterwards: AsyncExitStack) -> None:
        super().__init__()
        self._response, self._afterwards = response, afterwards

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response, then clean up."""
        async with self._afterwards:
            await self._response(scope, receive, send)


async def _files(request: Request, services: Services, item: Item) -> Response:
    """Of named renditions a zip, else a file, unless the client prefers another form."""
    named = any(one.name for one in item.options.renditions)
    form = preferred_form(request.headers.getlist("accept"), ZIP if named else FILE_FORM)
    if form != FILE_FORM and item.options.renditions:
        return files_response(services, item, form)
    return await file_response(services, item, select_file(item), None)


def _kept_for_repeats(query: ProtectQuery, services: Services) -> ProtectQuery:
    """The query, with the time for which its image is kept unless it names another."""
    if query.keep or query.expires_in_seconds is not None:
        return query
    limit = services.settings.retention_image_seconds
    kept_s = REPEATABLE_S if limit is None else min(REPEATABLE_S, limit)
    return query.model_copy(update={"expires_in_seconds": kept_s})


def _wait_s(asked: int | None, services: Services, *, respond_async: bool) -> float:
    """Seconds to wait; who asked for a 202 and for no time gets it at once."""
    longest = services.settings.http_max_wait_seconds
    return min(longest, asked if asked is not None else 0 if respond_async else longest)


async def _delete(services: Services, item: Item) -> None:
    """Also when the request itself is cancelled."""
    delete = partial(delete_image, services, item.tenant, item.id, audited=False)
    with CancelScope(shield=True):
        try:
            await to_thread.run_sync(delete, limiter=services.store_calls)
        except NotFound:  # another request was faster
            return
        except Unavailable as error:
            log.warning("not_deleted", item=item.id, detail=error.detail)
