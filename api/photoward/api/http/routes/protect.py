"""``/v1/protect``: a photo in, the protected photo out, for programs that cannot wait elsewhere.

However that ends, nothing of the photo stays, unless the caller wanted it kept.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Annotated

import structlog
from anyio import CancelScope, to_thread
from fastapi import APIRouter, Query, Request, Response

from photoward.api.http.body.photo import taken
from photoward.api.http.deps import Parts, PartsDep, WriterDep
from photoward.api.http.errors import documented, respond
from photoward.api.http.routes.content import FILE, whole
from photoward.api.http.routes.images import REFUSALS, UPLOAD_BODY, accepted
from photoward.api.http.schemas.images import Image, Problem, RequestedImage, error_of
from photoward.api.http.waiting import until_final
from photoward.api.ingest.submit import remove
from photoward.core.errors import NotFound, Unavailable
from photoward.core.jobs import FINAL, Item

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

router = APIRouter(tags=["images"])

log = structlog.get_logger("photoward.protect")


class RequestedAtOnce(RequestedImage):
    """The options of a photo that is waited for."""

    keep: bool = False


@router.post(
    "/v1/protect",
    operation_id="protect",
    summary="Protect a photo at once",
    response_class=Response,
    responses={
        200: FILE,
        202: {
            "model": Image,
            "description": "It takes longer and shall be kept; `Location` says where to ask.",
        },
        **documented(
            *REFUSALS,
            "corrupt",
            "unsupported_output",
            "postcondition",
            "worker_lost",
            "not_in_time",
        ),
    },
    openapi_extra={"requestBody": UPLOAD_BODY},
)
async def protect(
    request: Request, parts: PartsDep, tenant: WriterDep, query: Annotated[RequestedAtOnce, Query()]
) -> Response:
    """Like `POST /v1/images`, but the answer is the file; afterwards nothing of it is kept.

    Nor is anything where it fails, takes too long or nobody waits for it any more. `keep=true`
    leaves the item where `Content-Location` says, or, if it takes longer, `Location`.
    """
    async with AsyncExitStack() as afterwards:
        item = await taken(request, parts, tenant, query)
        if not query.keep:
            afterwards.push_async_callback(_forget, parts, item)
        item = await until_final(request, parts.ledger, item, parts.settings.http_max_wait_seconds)
        if item.state not in FINAL:
            return _late(item, parts.settings.http_max_wait_seconds, keep=query.keep)
        failure = error_of(item)
        if failure is not None:
            return respond(failure)
        response = await whole(parts, item)
        if query.keep:
            response.headers["Content-Location"] = f"/v1/images/{item.id}"
        return Passing(response, afterwards.pop_all())


class Passing(Response):
    """An answer, and what is done when it has left or cannot."""

    def __init__(self, answer: Response, afterwards: AsyncExitStack) -> None:
        super().__init__()
        self._answer, self._afterwards = answer, afterwards

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See Starlette."""
        async with self._afterwards:
            await self._answer(scope, receive, send)


def _late(item: Item, waited_s: float, *, keep: bool) -> Response:
    if keep:
        return accepted(item)
    return respond(Problem.of("not_in_time", f"It was not finished within {waited_s:g} seconds."))


async def _forget(parts: Parts, item: Item) -> None:
    """Also when the request itself is given up."""
    with CancelScope(shield=True):
        try:
            await to_thread.run_sync(
                partial(remove, parts, item.tenant, item.id, asked=False), limiter=parts.at_store
            )
        except NotFound:  # somebody was faster
            return
        except Unavailable as error:
            log.warning("not_forgotten", item=item.id, detail=error.detail)
