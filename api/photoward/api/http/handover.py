"""The way of an upload from its request to an item: object first, row second, hint last."""

from __future__ import annotations

import contextlib
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from anyio import to_thread

from photoward.api.http.asked import Asked
from photoward.api.http.intake import Intake
from photoward.core.errors import BadInput, Overloaded, Unavailable
from photoward.core.failpoints import failpoint
from photoward.core.jobs import new_id
from photoward.core.ports import object_keys, original_key

if TYPE_CHECKING:
    from fastapi import Request

    from photoward.api.http.deps import Parts
    from photoward.api.http.intake import Upload
    from photoward.api.http.schemas import RequestedImage
    from photoward.core.arrivals import Arrival
    from photoward.core.jobs import Item, Options


async def taken(
    request: Request, parts: Parts, tenant: str, query: RequestedImage, key: str | None = None
) -> Item:
    """Read one upload and hand it in, unless that was done under the same ``key`` before.

    Raises:
        BadInput: at the first byte that shows it.
        NotFound: there is no such batch.
        Overloaded: too much is waiting.
    """
    if len(request.query_params.multi_items()) != len(request.query_params):
        raise BadInput("invalid_option", "An option is given twice in the query.")
    defaults = await to_thread.run_sync(_defaults, parts, tenant, query.batch)
    asked = Asked(parts.catalogue, query, defaults)
    await parts.admission.check()
    with ExitStack() as closing:
        upload = await Intake(request, asked, parts.settings, closing).read()
        item = await to_thread.run_sync(
            accept, parts, tenant, upload, query.batch, key, limiter=parts.storing
        )
    parts.announcer.announce(item.id)
    return item


def _defaults(parts: Parts, tenant: str, batch_id: str | None) -> dict[str, Any]:
    return parts.ledger.batch_options(tenant, batch_id) if batch_id else {}


def accept(
    parts: Parts, tenant: str, upload: Upload, batch_id: str | None, request: str | None = None
) -> Item:
    """Object first, row second: a row without its object would be a promise nobody can keep."""
    item_id = new_id()
    options, batch_key = _stored(parts, tenant, item_id, upload)
    kept = None
    try:
        kept = parts.ledger.add(
            item_id, tenant, options, upload.source, batch_key, batch=batch_id, request=request,
            trace=parts.tracer.here(),
        )  # fmt: skip
    finally:
        if kept is None or kept.id != item_id:
            with contextlib.suppress(Unavailable):  # the sweeper finds it; the first error is told
                parts.store.delete(original_key(tenant, item_id))
    failpoint("row-committed")
    return kept


def arrived(parts: Parts, arrival: Arrival, upload: Upload) -> Item | None:
    """The same for a photo whose item is there already; None: nobody waits for it any more.

    Raises:
        Overloaded: ``over_quota``.
    """
    tenant, item_id = arrival.tenant, arrival.item_id
    options, batch_key = _stored(parts, tenant, item_id, upload)
    try:
        kept = parts.ledger.arrive(arrival, options, upload.source, batch_key)
    except Overloaded:
        parts.store.delete(original_key(tenant, item_id))
        raise
    if kept is None and item_id not in parts.ledger.states([item_id]):
        parts.store.delete(original_key(tenant, item_id))  # deleted, or its tenant was
    failpoint("row-committed")
    return kept


def _stored(parts: Parts, tenant: str, item_id: str, upload: Upload) -> tuple[Options, str]:
    source = upload.source
    placed = parts.catalogue.placed(upload.options, source.width, source.height)
    parts.store.put(original_key(tenant, item_id), upload.file)
    failpoint("original-stored")
    return placed


def remove(parts: Parts, tenant: str, item_id: str, *, asked: bool = True) -> None:
    """Hide an item and remove its objects; ``asked``: it is the caller's deed. Raises NotFound."""
    item = parts.ledger.cancel(tenant, item_id, asked=asked)
    for key in object_keys(item):
        parts.store.delete(key)
