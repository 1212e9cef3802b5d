"""``/v1/protect``: a photo in, the protected photo out, for programs that cannot wait elsewhere."""

from __future__ import annotations

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response
from starlette.background import BackgroundTask

from photoward.api.http.arrival import taken
from photoward.api.http.deps import PartsDep, WriterDep
from photoward.api.http.errors import documented, respond
from photoward.api.http.handover import remove
from photoward.api.http.routes.content import FILE, whole
from photoward.api.http.routes.images import REFUSALS, UPLOAD_BODY, accepted
from photoward.api.http.schemas import Image, RequestedImage, error_of
from photoward.api.http.waiting import until_final
from photoward.core.jobs import FINAL

router = APIRouter(tags=["images"])


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
        202: {"model": Image, "description": "It takes longer; `Location` says where to ask."},
        **documented(*REFUSALS, "corrupt", "unsupported_output", "postcondition", "worker_lost"),
    },
    openapi_extra={"requestBody": UPLOAD_BODY},
)
async def protect(
    request: Request, parts: PartsDep, tenant: WriterDep, query: Annotated[RequestedAtOnce, Query()]
) -> Response:
    """Like `POST /v1/images`, but the answer is the file; afterwards nothing of it is kept.

    `keep=true` leaves the item where `Content-Location` says.
    """
    item = await taken(request, parts, tenant, query)
    item = await until_final(request, parts.ledger, item, parts.settings.max_wait_s)
    if item.state not in FINAL:
        return accepted(item)
    failure = error_of(item)
    if failure is not None:
        return respond(failure)
    response = await to_thread.run_sync(whole, parts, item)
    if query.keep:
        response.headers["Content-Location"] = f"/v1/images/{item.id}"
    else:
        response.background = BackgroundTask(remove, parts, tenant, item.id, asked=False)
    return response
