"""``/v1/images``: submit a photo, see how it stands, delete it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response

from photoward.api.http.auth import OwnReaderDep, ReaderDep, UploaderDep, WriterDep
from photoward.api.http.body.image import read_image
from photoward.api.http.body.reader import JSON, read_json, refuse_repeated_parameters
from photoward.api.http.deps import (
    IdempotencyKeyDep,
    ImageIdDep,
    Services,
    ServicesDep,
    checked_callback,
)
from photoward.api.http.errors import documented
from photoward.api.http.headers.prefer import parse_wait_s
from photoward.api.http.pagination import AfterDep, next_cursor
from photoward.api.http.responses import (
    BINARY,
    NO_STORE,
    accepted,
    ended,
    image_response,
    rate_limit_headers,
)
from photoward.api.http.schemas.images import CreateImageFromSource, Image, ImagePage
from photoward.api.http.schemas.inline import inline_schema
from photoward.api.http.waiting import wait_until_ended
from photoward.api.ingest.details import MAX_REFERENCE
from photoward.api.ingest.manifest import fetch_image
from photoward.api.ingest.options import ImageRequest, OptionsBuilder, Terms
from photoward.api.ingest.submit import delete_image as delete
from photoward.api.ingest.submit import submit_image
from photoward.api.ingest.uploads import submit_upload
from photoward.core.errors import BadInput, Denied
from photoward.core.imaging.sniff import INPUTS
from photoward.core.jobs import FINAL_STATES, ImageState, Item

router = APIRouter(prefix="/v1/images", tags=["images"])

PAGE_SIZE, MAX_PAGE_SIZE = 100, 500

IMAGE_REFUSALS = (
    "empty_body",
    "length_mismatch",
    "malformed_request",
    "too_slow",
    "body_too_large",
    "too_many_pixels",
    "unsupported_content_type",
    "content_type_mismatch",
    "not_an_image",
    "unsupported_type",
    "truncated",
    "bad_dimensions",
    "unsupported_bit_depth",
    "unsupported_colour_mode",
    "unsupported_animation",
    "invalid_option",
    "unknown_method",
    "unknown_preset",
    "unknown_surrogate",
    "unknown_label",
    "already_protected",
    "request_differs",
    "digest_mismatch",
    "unauthenticated",
    "forbidden",
    "token_used_up",
    "not_found",
    "over_quota",
    "queue_full",
    "unavailable",
    "storage_full",
    "upload_incomplete",
    "upload_used",
    "batch_closed",
    "source_blocked",
    "source_missing",
)

FORM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary"},
        **ImageRequest.model_json_schema()["properties"],
    },
    "additionalProperties": False,
}
IMAGE_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": FORM_SCHEMA,
            "example": {"file": "(the photo)", "label": "tabby cat", "preset": "strong"},
        },
        JSON: {"schema": inline_schema(CreateImageFromSource)},
        **dict.fromkeys([*INPUTS.values(), "application/octet-stream"], BINARY),
    },
}
IMAGE_PARAMETERS = [
    {
        "name": "Prefer",
        "in": "header",
        "required": False,
        "schema": {"type": "string"},
        "description": "`wait=N`: wait up to N seconds for the image to end.",
        "example": "wait=20",
    },
    {
        "name": "Content-Digest",
        "in": "header",
        "required": False,
        "schema": {"type": "string"},
        "description": "SHA-256 or SHA-512 of the body (RFC 9530), which the service verifies.",
    },
]


@router.post(
    "",
    operation_id="createImage",
    summary="Submit a photo",
    status_code=202,
    response_model=Image,
    responses={
        200: {"model": Image, "description": "The image ended within the time of `Prefer: wait`."},
        202: {"description": "Accepted; poll the URL in `Location`."},
        **documented(*IMAGE_REFUSALS),
    },
    openapi_extra={"requestBody": IMAGE_BODY, "parameters": IMAGE_PARAMETERS},
)
async def create_image(
    request: Request,
    services: ServicesDep,
    tenant: UploaderDep,
    key: IdempotencyKeyDep,
    query: Annotated[ImageRequest, Query()],
) -> Response:
    """Send the photo as multipart/form-data, or as the body with its options in the query.

    Or send JSON with the options and where the photo is: the id of an upload, which becomes one
    image, however often it is submitted; or, as in a manifest, a `url` or the `key` of a bucket's
    object, which the service fetches.
    """
    item = await submit(request, services, tenant, query, key)
    rate = rate_limit_headers(await to_thread.run_sync(services.ledger.tenants.quota_usage, tenant))
    wait_s = parse_wait_s(request.headers.getlist("prefer"))
    if wait_s is None:
        return accepted(item, rate)
    wait_s = min(wait_s, int(services.settings.http_max_wait_seconds))
    item = await wait_until_ended(request, services.ledger, item, wait_s)
    return ended(item, wait_s, rate) if item.state in FINAL_STATES else accepted(item, rate)


async def submit(
    request: Request,
    services: Services,
    tenant: str,
    query: ImageRequest,
    key: str | None = None,
) -> Item:
    """Submit the photo that a request brings or names.

    Args:
        request: its body has not been read.
        services: the process's.
        tenant: whose.
        query: the options in the query.
        key: the digest of an idempotency key: under the same one the image of then is returned.

    Raises:
        BadInput: at the first byte that shows it.
        Conflict: the upload that it names cannot be used, or the batch is closed.
        Denied: an upload token does not permit it.
        NotFound: there is no such batch or upload.
        Overloaded: too much is queued.
    """
    refuse_repeated_parameters(request)
    body = await read_json(request, CreateImageFromSource)
    batch_defaults = partial(services.ledger.batches.get_defaults, tenant)
    terms = Terms(
        callback=partial(checked_callback, request, services),
        token_id=request.state.token_id,
        retention_s=services.settings.retention_image_seconds,
    )
    options = OptionsBuilder(services.catalogue, query, batch_defaults, terms)
    if body is not None:
        options.include(body)
    await options.load_batch()
    key = await _own_requests(services, terms.token_id, body, key)
    try:
        item = await _submit(request, services, tenant, options, body, key)
    except BadInput:
        if options.batch is not None:
            count = partial(services.ledger.batches.count_refused, tenant, options.batch, 1)
            await to_thread.run_sync(count)
        raise
    services.notifier.notify(item.id)
    return item


async def _own_requests(
    services: Services, token_id: str | None, body: CreateImageFromSource | None, key: str | None
) -> str | None:
    """The digest of the idempotency key, among the requests of an upload token its own.

    Raises:
        Denied: the token does not permit such a body.
        NotFound: the body names an upload that was not begun with the token.
    """
    if token_id is None:
        return key
    if body is not None:
        if body.upload is None:
            raise Denied("forbidden", "An upload token permits no photo that is to be fetched.")
        own = partial(services.ledger.upload_tokens.require_own, upload_id=body.upload)
        await to_thread.run_sync(own, token_id)
    return key and hashlib.sha256(f"{token_id} {key}".encode()).hexdigest()


async def _submit(  # noqa: PLR0913, PLR0917  # what makes an image
    request: Request,
    services: Services,
    tenant: str,
    options: OptionsBuilder,
    body: CreateImageFromSource | None,
    key: str | None,
) -> Item:
    await services.admission.check()
    add: Callable[[], Item]
    with ExitStack() as closing:
        if body is None:
            image = await read_image(request, options, services.settings, closing)
            add = partial(
                submit_image,
                services,
                tenant,
                image,
                batch_id=options.batch,
                request=key,
                details=options.details,
            )
        elif body.upload is not None:
            add = partial(
                submit_upload,
                services,
                tenant,
                body.upload,
                options.build(),
                batch_id=options.batch,
                request=key,
                details=options.details,
            )
        else:
            source = {"url": body.url, "key": body.key}
            add = partial(
                fetch_image,
                services,
                tenant,
                {kind: where for kind, where in source.items() if where is not None},
                options.build(),
                batch_id=options.batch,
                key=key,
                details=options.details,
            )
        return await to_thread.run_sync(add, limiter=services.store_writes)


@router.get(
    "",
    operation_id="listImages",
    summary="List images",
    responses=documented("invalid_option", "unauthenticated", "forbidden", "unavailable"),
)
async def list_images(  # noqa: PLR0913  # what may be asked for
    *,
    services: ServicesDep,
    tenant: ReaderDep,
    response: Response,
    reference: Annotated[
        str | None,
        Query(
            description="Only images with this reference.",
            min_length=1,
            max_length=MAX_REFERENCE,
            examples=["post-1042"],
        ),
    ] = None,
    sha256: Annotated[
        str | None,
        Query(
            description="Only images whose original has this SHA-256, in hexadecimal: whether a "
            "file has been submitted before.",
            pattern="^[0-9a-f]{64}$",
        ),
    ] = None,
    state: Annotated[ImageState | None, Query(description="Only images in this state.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE)] = PAGE_SIZE,
    after: AfterDep,
) -> ImagePage:
    """Newest first; images that are added meanwhile come on no later page."""
    response.headers.update(NO_STORE)
    found = await to_thread.run_sync(
        lambda: services.ledger.items.list_newest(
            tenant,
            before=after or None,
            limit=limit,
            states=None if state is None else state.internal,
            reference=reference,
            source_sha256=sha256,
        )
    )
    return ImagePage(
        items=[Image.of(item) for _, item in found],
        next=next_cursor([seq for seq, _ in found], limit),
    )


@router.get(
    "/{image_id}",
    operation_id="getImage",
    summary="Get an image",
    response_model=Image,
    responses=documented("unauthenticated", "forbidden", "not_found", "expired", "unavailable"),
)
async def get_image(image_id: ImageIdDep, services: ServicesDep, tenant: OwnReaderDep) -> Response:
    """State, progress and, once it has succeeded, measurements."""
    image = await to_thread.run_sync(load_image, services, tenant, image_id)
    return image_response(image, 200, NO_STORE)


@router.delete(
    "/{image_id}",
    operation_id="deleteImage",
    summary="Delete an image",
    status_code=204,
    responses=documented("unauthenticated", "forbidden", "not_found", "unavailable"),
)
async def delete_image(image_id: ImageIdDep, services: ServicesDep, tenant: WriterDep) -> None:
    """Cancel the image if it has not ended, and remove its original and its protected files."""
    await to_thread.run_sync(delete, services, tenant, image_id, limiter=services.store_calls)


def load_image(services: Services, tenant: str, image_id: str) -> Image:
    """An image as it stands, with its position in the queue. Raises NotFound."""
    return Image.of(*services.ledger.items.get_with_position(tenant, image_id))
