"""``/v1/images/{id}/preview``: a small picture of an original that no browser can show."""

from __future__ import annotations

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Header, Response

from photoward.api.delivery.previews import MEDIA_TYPE
from photoward.api.http.auth import OwnReaderDep
from photoward.api.http.deps import ImageIdDep, Services, ServicesDep
from photoward.api.http.errors import documented
from photoward.api.http.headers.representation import has_tag
from photoward.api.http.responses import BINARY
from photoward.core.errors import NotFound, Overloaded
from photoward.core.object_keys import original_key

router = APIRouter(prefix="/v1/images", tags=["images"])

MAX_WAITING = 16
"""Previews that are waited for; each holds a file in memory only while it is made."""


@router.get(
    "/{image_id}/preview",
    operation_id="getImagePreview",
    summary="Get a preview of the original",
    response_class=Response,
    responses={
        200: {
            "description": "A WebP of at most 512 × 512 pixels, without noise and EXIF.",
            "content": {MEDIA_TYPE: BINARY},
            "headers": {"ETag": {"schema": {"type": "string"}}},
        },
        304: {"description": "The preview has the ETag of `If-None-Match`."},
        **documented(
            "unauthenticated",
            "forbidden",
            "not_found",
            "expired",
            "no_preview",
            "corrupt",
            "queue_full",
            "unavailable",
        ),
    },
)
async def get_preview(
    image_id: ImageIdDep,
    services: ServicesDep,
    tenant: OwnReaderDep,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """For pages in browsers that cannot show the original, as of HEIC and TIFF.

    Only as long as the service has the original: until the image has ended.
    """
    item = await to_thread.run_sync(services.ledger.items.get, tenant, image_id)
    etag = f'"preview-{item.source.sha256}"'
    headers = {"ETag": etag, "Cache-Control": "private, max-age=3600"}
    if item.source.sha256 and has_tag(etag, if_none_match):
        return Response(status_code=304, headers=headers)
    if services.preview_slot.statistics().tasks_waiting >= MAX_WAITING:
        raise Overloaded("Too many previews are being made.")
    data = await to_thread.run_sync(
        _make, services, tenant, image_id, limiter=services.preview_slot
    )
    return Response(data, headers=headers, media_type=MEDIA_TYPE)


def _make(services: Services, tenant: str, image_id: str) -> bytes:
    try:
        original = services.store.get(original_key(tenant, image_id))
    except NotFound:
        detail = "The service does not have the original: not yet, or no longer."
        raise NotFound(detail, "no_preview") from None
    return services.previews.make(original)
