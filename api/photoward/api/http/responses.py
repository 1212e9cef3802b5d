"""Responses that several routes give: images as JSON, NDJSON lines, and bytes out of the store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from anyio import to_thread
from fastapi import Response

from photoward.api.http.schemas.images import Image
from photoward.core.jobs import QUOTA_WINDOW

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from anyio import CapacityLimiter

    from photoward.core.jobs import Item, QuotaUsage

BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}


def binary_content(*media_types: str) -> dict[str, Any]:
    """OpenAPI's ``content`` of a body in one of these formats.

    First stands the type of any bytes: generated clients know no other, and read it as such.
    """
    return dict.fromkeys(("application/octet-stream", *media_types), BINARY)


NO_STORE = {"Cache-Control": "no-store"}

MAX_STORE_WRITES = 6
"""Threads; × 25 MiB stays well under the 400 MiB that this process may take."""

MAX_VERIFICATIONS = 2
"""Threads; one is decoded while the next one's protected file is read."""

MAX_STORE_CALLS = 40
"""Threads, and as many as query the ledger. They are apart, so that downloads from a slow store do
not keep others from the ledger."""


def image_response(image: Image, status: int, headers: Mapping[str, str]) -> Response:
    """An image as JSON."""
    return Response(image.model_dump_json(), status, headers, media_type="application/json")


def accepted(item: Item, headers: Mapping[str, str] | None = None) -> Response:
    """202: the image has not ended; ``Location`` says where to poll."""
    own = {"Location": f"/v1/images/{item.id}", "Retry-After": "1", **NO_STORE}
    return image_response(Image.of(item), 202, {**own, **(headers or {})})


def ended(item: Item, wait_s: int, headers: Mapping[str, str]) -> Response:
    """200: the image ended within the ``wait_s`` seconds of ``Prefer: wait``."""
    own = {"Preference-Applied": f"wait={wait_s}", "Vary": "Prefer", **NO_STORE}
    location = {"Content-Location": f"/v1/images/{item.id}"}
    return image_response(Image.of(item), 200, {**location, **own, **headers})


def rate_limit_headers(usage: QuotaUsage | None) -> dict[str, str]:
    """What a tenant may still submit, as draft-ietf-httpapi-ratelimit-headers has it."""
    if usage is None or usage.quota is None:
        return {}
    window_s = int(QUOTA_WINDOW.total_seconds())
    left = max(0, int(usage.quota - usage.megapixels))
    return {
        "RateLimit-Policy": f'"megapixels";q={int(usage.quota)};w={window_s}',
        "RateLimit": f'"megapixels";r={left}',
    }


def ndjson_line(values: Mapping[str, Any]) -> bytes:
    """One line of NDJSON; text that is not Unicode is escaped as in JSON."""
    text = json.dumps(values, ensure_ascii=False, default=str)
    return text.encode(errors="backslashreplace") + b"\n"


async def stream_in_thread(
    chunks: Iterator[bytes], limiter: CapacityLimiter
) -> AsyncIterator[bytes]:
    """Chunks of a blocking iterator; a thread is taken for each, and none while it is sent."""
    try:
        while (chunk := await to_thread.run_sync(next, chunks, None, limiter=limiter)) is not None:
            yield chunk
    finally:
        close = getattr(chunks, "close", None)  # a generator holds what it reads
        if close is not None:
            close()
