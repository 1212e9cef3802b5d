"""The two ways in which a request hands in one photo: it brings it, or names what was brought."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from anyio import to_thread

from photoward.api.http import uploads
from photoward.api.http.asked import Asked
from photoward.api.http.handover import accept
from photoward.api.http.intake import Intake, read_json, refuse_repeats
from photoward.api.http.schemas import RequestedUse
from photoward.core.errors import BadInput

if TYPE_CHECKING:
    from fastapi import Request

    from photoward.api.http.deps import Parts
    from photoward.api.http.schemas import RequestedImage
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
    batch = _batch(query, named)
    defaults = await to_thread.run_sync(_defaults, parts, tenant, batch)
    asked = Asked(parts.catalogue, query, defaults)
    await parts.admission.check()
    if named is not None:
        asked.include(named)
        item = await to_thread.run_sync(
            uploads.use, parts, tenant, named.upload, asked.complete(), batch, key,
            limiter=parts.storing,
        )  # fmt: skip
    else:
        with ExitStack() as closing:
            photo = await Intake(request, asked, parts.settings, closing).read()
            item = await to_thread.run_sync(
                accept, parts, tenant, photo, batch, key, limiter=parts.storing
            )
    parts.announcer.announce(item.id)
    return item


def _batch(query: RequestedImage, named: RequestedUse | None) -> str | None:
    if named is None or named.batch is None:
        return query.batch
    if query.batch is not None:
        raise BadInput("invalid_option", "batch is given twice.", field="batch")
    return named.batch


def _defaults(parts: Parts, tenant: str, batch_id: str | None) -> dict[str, Any]:
    return parts.ledger.batch_options(tenant, batch_id) if batch_id else {}
