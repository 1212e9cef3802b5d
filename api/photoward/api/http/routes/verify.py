"""``/v1/verify``: what a file is, for anybody."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Path, Request, Response

from photoward.api.http.auth import ViewerDep, client_address
from photoward.api.http.body.image import read_file
from photoward.api.http.body.multipart import FILE
from photoward.api.http.deps import Services, ServicesDep
from photoward.api.http.errors import documented
from photoward.api.http.responses import BINARY, NO_STORE, binary_content
from photoward.api.http.schemas.verify import EXAMPLE_MARK, KnownMark, Verification
from photoward.core.errors import NotFound
from photoward.core.imaging.sniff import INPUTS
from photoward.core.output_marks import is_mark_id, mark_id

router = APIRouter(prefix="/v1/verify", tags=["verification"])

FILE_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "title": "FileToVerify",
                "required": [FILE],
                "properties": {FILE: BINARY["schema"]},
            }
        },
        **binary_content(*INPUTS.values()),
    },
}

REFUSALS = (
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
    "corrupt",
    "bad_dimensions",
    "unsupported_bit_depth",
    "unsupported_colour_mode",
    "unsupported_animation",
    "too_costly",
    "invalid_option",
    "digest_mismatch",
    "unauthenticated",
    "forbidden",
    "rate_limited",
    "timed_out",
    "unavailable",
)


@router.post(
    "",
    operation_id="verifyFile",
    summary="Find out what a file is",
    responses=documented(*REFUSALS),
    openapi_extra={"requestBody": FILE_BODY},
)
async def verify_file(
    request: Request, response: Response, services: ServicesDep, tenant: ViewerDep
) -> Verification:
    """Say whether a file was protected here, and how much of its noise is left.

    It is found by its bytes, by the id in its XMP, and by the look of its picture, also after it
    was saved again, resized or cropped. Nothing of it is kept. Nobody is told whose a file is but
    its owner. Needs no API key unless the operator requires one.
    """
    _count(request, services, tenant)
    response.headers.update(NO_STORE)
    with ExitStack() as closing:
        _, file = await read_file(request, services.settings, closing)
        data = await to_thread.run_sync(file.read)
    verify = partial(services.verifier.verify, data, tenant)
    finding = await to_thread.run_sync(verify, limiter=services.verifications)
    return Verification.of(finding, tenant)


@router.get(
    "/{mark}",
    operation_id="verifyId",
    summary="Find out what was protected under an id",
    responses=documented("unauthenticated", "forbidden", "not_found", "rate_limited"),
)
async def verify_id(
    request: Request,
    response: Response,
    services: ServicesDep,
    tenant: ViewerDep,
    mark: Annotated[
        str,
        Path(
            description="The `xmpMM:InstanceID` in a file's XMP, with or without `xmp.iid:`.",
            examples=[EXAMPLE_MARK],
        ),
    ],
) -> KnownMark:
    """When and how the file with this id was protected.

    An id can be copied into another file: `POST` the file to find out.
    """
    _count(request, services, tenant)
    response.headers.update(NO_STORE)
    if not is_mark_id(mark_id(mark)):
        raise NotFound("No protected file has such an id.")
    proof = await to_thread.run_sync(services.verifier.find_by_mark, mark_id(mark))
    return KnownMark.of(proof, tenant)


def _count(request: Request, services: Services, tenant: str | None) -> None:
    """Strangers are limited in number. Raises Overloaded."""
    if tenant is None or request.state.key_id is None:
        services.verify_limit.take(client_address(request))
