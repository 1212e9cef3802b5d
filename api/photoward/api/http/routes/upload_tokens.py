"""``/v1/upload-tokens``: what a page may submit photos with, in place of an API key."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from photoward.api.http.auth import WriterDep
from photoward.api.http.body.reader import BODY_REFUSALS, json_request_body, require_json
from photoward.api.http.deps import ServicesDep
from photoward.api.http.errors import documented
from photoward.api.http.responses import NO_STORE
from photoward.api.http.schemas.upload_tokens import CreatedUploadToken, CreateUploadToken
from photoward.core import api_keys

router = APIRouter(prefix="/v1/upload-tokens", tags=["uploads"])


@router.post(
    "",
    operation_id="createUploadToken",
    summary="Create an upload token",
    status_code=201,
    responses=documented(
        "unauthenticated", "forbidden", "invalid_option", "unavailable", *BODY_REFUSALS
    ),
    openapi_extra=json_request_body(CreateUploadToken),
)
async def create_upload_token(
    request: Request, services: ServicesDep, tenant: WriterDep, response: Response
) -> CreatedUploadToken:
    """For a page in a browser, which must not have an API key.

    It is sent like a key. It permits `POST /v1/images`, `/v1/uploads`, and to read the images that
    were submitted with it; nothing else. It expires with the key that it was made with.
    """
    wanted = await require_json(request, CreateUploadToken)
    response.headers.update(NO_STORE)
    minted = api_keys.generate_token(services.pepper)
    most = wanted.max_images * services.settings.upload_max_bytes
    add = partial(
        services.ledger.upload_tokens.add,
        minted,
        tenant,
        key_id=request.state.key_id,
        lifetime=timedelta(seconds=wanted.expires_in_seconds),
        max_images=wanted.max_images,
        max_bytes=most if wanted.max_bytes is None else wanted.max_bytes,
    )
    made = await to_thread.run_sync(add)
    return CreatedUploadToken(
        id=made.id,
        token=minted.text,
        expires_at=made.expires_at,
        max_images=made.max_images,
        max_bytes=made.max_bytes,
    )
