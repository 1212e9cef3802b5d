"""``/v1/images``: hand in a photo, ask how it stands, delete it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response

from photoward.api.http.body.photo import taken
from photoward.api.http.body.reader import JSON
from photoward.api.http.deps import ItemIdDep, Parts, PartsDep, ReaderDep, RequestKeyDep, WriterDep
from photoward.api.http.errors import documented
from photoward.api.http.headers import prefer
from photoward.api.http.schemas.images import Image, RequestedImage, RequestedUse
from photoward.api.http.waiting import until_final
from photoward.api.ingest.submit import remove
from photoward.core.imaging.sniff import INPUTS
from photoward.core.jobs import FINAL, QUOTA_WINDOW, Item, Usage

router = APIRouter(prefix="/v1/images", tags=["images"])

NO_STORE = {"Cache-Control": "no-store"}

REFUSALS = (
    "empty_body", "length_mismatch", "malformed_request", "too_slow", "body_too_large",
    "too_many_pixels",
    "unsupported_content_type", "content_type_mismatch", "not_an_image", "unsupported_type",
    "truncated", "bad_dimensions", "unsupported_bit_depth", "unsupported_colour_mode",
    "unsupported_animation", "invalid_option", "unknown_method", "unknown_preset",
    "unknown_surrogate", "unknown_label", "request_differs", "digest_mismatch",
    "unauthenticated", "forbidden", "not_found", "over_quota", "queue_full", "unavailable",
    "storage_full", "upload_incomplete", "upload_used",
)  # fmt: skip

BINARY = {"schema": {"type": "string", "format": "binary"}}
FORM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary"},
        **RequestedImage.model_json_schema()["properties"],
    },
    "additionalProperties": False,
}
UPLOAD_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": FORM_SCHEMA,
            "example": {"file": "(the photo)", "label": "tabby cat", "preset": "strong"},
        },
        JSON: {"schema": RequestedUse.model_json_schema()},
        **dict.fromkeys([*INPUTS.values(), "application/octet-stream"], BINARY),
    },
}
UPLOAD_PARAMETERS = [{
    "name": "Prefer", "in": "header", "required": False, "schema": {"type": "string"},
    "description": "`wait=N`: answer with the finished item if it is ready within N seconds.",
    "example": "wait=20",
}, {
    "name": "Content-Digest", "in": "header", "required": False, "schema": {"type": "string"},
    "description": "The body's SHA-256 or SHA-512 (RFC 9530): compared with what arrives.",
}]  # fmt: skip


@router.post(
    "",
    operation_id="createImage",
    summary="Hand in a photo",
    status_code=202,
    response_model=Image,
    responses={
        200: {"model": Image, "description": "It ended within the time given by `Prefer: wait`."},
        202: {"description": "Accepted; `Location` says where to ask."},
        **documented(*REFUSALS),
    },
    openapi_extra={"requestBody": UPLOAD_BODY, "parameters": UPLOAD_PARAMETERS},
)
async def create_image(
    request: Request, parts: PartsDep, tenant: WriterDep, key: RequestKeyDep,
    query: Annotated[RequestedImage, Query()],
) -> Response:  # fmt: skip
    """Take a photo as multipart/form-data, or as the body with its options in the query.

    Or name an upload in JSON, with the same options; to name it again gives the same item.
    """
    item = await taken(request, parts, tenant, query, key)
    wait_s = prefer.wanted_wait_s(request.headers.getlist("prefer"))
    rate = rates(await to_thread.run_sync(parts.ledger.allowance, tenant))
    if wait_s is None:
        return accepted(item, rate)
    wait_s = min(wait_s, int(parts.settings.http_max_wait_seconds))
    item = await until_final(request, parts.ledger, item, wait_s)
    return accepted(item, rate) if item.state not in FINAL else _finished(item, wait_s, rate)


@router.get(
    "/{image_id}",
    operation_id="getImage",
    summary="Ask how a photo stands",
    response_model=Image,
    responses=documented("unauthenticated", "forbidden", "not_found", "unavailable"),
)
async def get_image(image_id: ItemIdDep, parts: PartsDep, tenant: ReaderDep) -> Response:
    """State, progress, and what was measured once it is done."""
    return _json(await to_thread.run_sync(shown, parts, tenant, image_id), 200, NO_STORE)


@router.delete(
    "/{image_id}",
    operation_id="deleteImage",
    summary="Delete a photo",
    status_code=204,
    responses=documented("unauthenticated", "forbidden", "not_found", "unavailable"),
)
async def delete_image(image_id: ItemIdDep, parts: PartsDep, tenant: WriterDep) -> None:
    """Stop the work on it if it has not ended, and remove the original and the result."""
    await to_thread.run_sync(remove, parts, tenant, image_id, limiter=parts.at_store)


def shown(parts: Parts, tenant: str, image_id: str) -> Image:
    """An item as it stands, with its place in the queue."""
    return Image.of(*parts.ledger.standing(tenant, image_id))


def rates(allowance: Usage | None) -> dict[str, str]:
    """What a tenant may still hand in, as draft-ietf-httpapi-ratelimit-headers tells it."""
    if allowance is None or allowance.quota is None:
        return {}
    window_s = int(QUOTA_WINDOW.total_seconds())
    left = max(0, int(allowance.quota - allowance.megapixels))
    return {
        "RateLimit-Policy": f'"megapixels";q={int(allowance.quota)};w={window_s}',
        "RateLimit": f'"megapixels";r={left}',
    }


def accepted(item: Item, more: Mapping[str, str] | None = None) -> Response:
    """The answer to what is not finished yet."""
    headers = {"Location": f"/v1/images/{item.id}", "Retry-After": "1", **NO_STORE}
    return _json(Image.of(item), 202, {**headers, **(more or {})})


def _finished(item: Item, wait_s: int, more: Mapping[str, str]) -> Response:
    headers = {"Preference-Applied": f"wait={wait_s}", "Vary": "Prefer", **NO_STORE, **more}
    return _json(Image.of(item), 200, {"Content-Location": f"/v1/images/{item.id}", **headers})


def _json(image: Image, status: int, headers: Mapping[str, str]) -> Response:
    return Response(image.model_dump_json(), status, headers, media_type="application/json")
