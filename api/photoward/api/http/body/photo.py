"""The two ways in which a request hands in one photo: it brings it, or names what was brought."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from anyio import to_thread

from photoward.api.http.body.reader import Intake, read_json, refuse_repeats
from photoward.api.http.schemas.images import RequestedUse
from photoward.api.ingest import uploads
from photoward.api.ingest.options import Asked
from photoward.api.ingest.submit import accept

if TYPE_CHECKING:
    from fastapi import Request

    from photoward.api.http.deps import Parts
    from photoward.api.http.schemas.images import RequestedImage
    from photoward.core.jobs import Item


async def taken(
    request: Request, parts: Parts, tenant: str, query: RequestedImage, key: str | None = None
) -> Item:
    """Hand one photo in, unless that was done under the same ``key`` before.

    Raises:
        BadInput: at the first byte that shows it.
        Conflict: the upload that it names cannot be used.
        NotFound: there is no such batch or upload.
        Overloaded: too much is waiting.
    """
    refuse_repeats(request)
    named = await read_json(request, RequestedUse)
    asked = Asked(parts.catalogue, query, partial(parts.ledger.batch_options, tenant))
    if named is not None:
        asked.include(named)
    await asked.find_batch()
    await parts.admission.check()
    if named is not None:
        item = await to_thread.run_sync(
            uploads.use, parts, tenant, named.upload, asked.complete(), asked.batch, key,
            limiter=parts.storing,
        )  # fmt: skip
    else:
        with ExitStack() as closing:
            photo = await Intake(request, asked, parts.settings, closing).read()
            item = await to_thread.run_sync(
                accept, parts, tenant, photo, asked.batch, key, limiter=parts.storing
            )
    parts.announcer.announce(item.id)
    return item
