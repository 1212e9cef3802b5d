"""``/v1/protect``: a photo in, the protected file out, for clients that cannot poll.

However that ends, nothing of the photo stays, unless the client asks to keep it.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Annotated

import structlog
from anyio import CancelScope, to_thread
from fastapi import APIRouter, Query, Request, Response

from photoward.api.delivery.files import select_file
from photoward.api.http.auth import WriterDep
from photoward.api.http.deps import Services, ServicesDep
from photoward.api.http.errors import documented, problem_response
from photoward.api.http.responses import accepted
from photoward.api.http.routes.content import FILE, file_response
from photoward.api.http.routes.images import IMAGE_BODY, IMAGE_REFUSALS, submit
from photoward.api.http.schemas.images import Image, ProtectQuery, problem_of
from photoward.api.http.schemas.problems import Problem
from photoward.api.http.waiting import wait_until_ended
from photoward.api.ingest.submit import delete_image
from photoward.core.errors import NotFound, Unavailable
from photoward.core.jobs import FINAL_STATES, Item

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

router = APIRouter(tags=["images"])

log = structlog.get_logger("photoward.protect")


@router.post(
    "/v1/protect",
    operation_id="protect",
    summary="Protect a photo and wait for the file",
    response_class=Response,
    responses={
        200: FILE,
        202: {
            "model": Image,
            "description": "With `keep=true`: it takes longer; poll the URL in `Location`.",
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
    openapi_extra={"requestBody": IMAGE_BODY},
)
async def protect(
    request: Request,
    services: ServicesDep,
    tenant: WriterDep,
    query: Annotated[ProtectQuery, Query()],
) -> Response:
    """As `POST /v1/images`, but the response is the protected file, and the image is then deleted.

    It is deleted as well if it fails, takes too long or the client disconnects. `keep=true` keeps
    it: its URL is in `Content-Location` or, if it takes longer, in `Location`.
    """
    async with AsyncExitStack() as afterwards:
        item = await submit(request, services, tenant, query)
        if not query.keep:
            afterwards.push_async_callback(_delete, services, item)
        wait_s = services.settings.http_max_wait_seconds
        item = await wait_until_ended(request, services.ledger, item, wait_s)
        if item.state not in FINAL_STATES:
            return _not_in_time(item, wait_s, keep=query.keep)
        problem = problem_of(item)
        if problem is not None:
            return problem_response(problem)
        response = await file_response(services, item, select_file(item), None)
        if query.keep:
            response.headers["Content-Location"] = f"/v1/images/{item.id}"
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


def _not_in_time(item: Item, waited_s: float, *, keep: bool) -> Response:
    if keep:
        return accepted(item)
    detail = f"It was not finished within {waited_s:g} seconds."
    return problem_response(Problem.of("not_in_time", detail))


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
