"""The way of an upload from its request to an item: object first, row second, hint last."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from photoward.core.errors import Unavailable
from photoward.core.failpoints import failpoint
from photoward.core.jobs import new_id
from photoward.core.ports import object_keys, original_key

if TYPE_CHECKING:
    from photoward.api.http.deps import Parts
    from photoward.api.http.intake import Upload
    from photoward.core.jobs import Item


def accept(  # noqa: PLR0913, PLR0917  # what makes an item
    parts: Parts, tenant: str, upload: Upload, batch_id: str | None, request: str | None = None,
    upload_id: str | None = None,
) -> Item:  # fmt: skip
    """Object first, row second: a row without its object would be a promise nobody can keep.

    ``upload_id``: what was brought in before, and becomes this item in the same transaction.
    """
    item_id = new_id()
    source = upload.source
    options, batch_key = parts.catalogue.placed(upload.options, source.width, source.height)
    parts.store.put(original_key(tenant, item_id), upload.file)
    failpoint("original-stored")
    kept = None
    try:
        kept = parts.ledger.add(
            item_id, tenant, options, source, batch_key, batch=batch_id, request=request,
            trace=parts.tracer.here(), upload=upload_id,
        )  # fmt: skip
    finally:
        if kept is None or kept.id != item_id:
            with contextlib.suppress(Unavailable):  # the sweeper finds it; the first error is told
                parts.store.delete(original_key(tenant, item_id))
    failpoint("row-committed")
    return kept


def remove(parts: Parts, tenant: str, item_id: str, *, asked: bool = True) -> None:
    """Hide an item and remove its objects; ``asked``: it is the caller's deed. Raises NotFound."""
    item = parts.ledger.cancel(tenant, item_id, asked=asked)
    for key in object_keys(item):
        parts.store.delete(key)
