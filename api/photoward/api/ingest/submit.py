"""The way of an upload from its request to an item: object first, row second, hint last."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from photoward.core.errors import BadInput, Conflict, NotFound, Overloaded, Unavailable
from photoward.core.failpoints import failpoint
from photoward.core.jobs import new_id
from photoward.core.object_keys import object_keys, original_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from photoward.api.http.body.reader import Upload
    from photoward.api.http.deps import Parts
    from photoward.core.fetches import Arrival
    from photoward.core.jobs import Item, Options

REFUSED = (BadInput, Conflict, NotFound, Overloaded)
"""How the ledger says that it has written nothing. After anything else it may have: its answer can
be lost behind a commit, and what the row promises must lie in the store."""


def accept(  # noqa: PLR0913, PLR0917  # what makes an item
    parts: Parts, tenant: str, upload: Upload, batch_id: str | None, request: str | None = None,
    upload_id: str | None = None,
) -> Item:  # fmt: skip
    """Object first, row second: a row without its object would be a promise nobody can keep.

    ``upload_id``: what was brought in before, and becomes this item in the same transaction.
    """
    item_id = new_id()
    options, batch_key = _stored(parts, tenant, item_id, upload)
    with withdrawn(parts, original_key(tenant, item_id)):
        kept = parts.ledger.add(
            item_id, tenant, options, upload.source, batch_key, batch=batch_id, request=request,
            trace=parts.tracer.here(), upload=upload_id,
        )  # fmt: skip
    if kept.id != item_id:
        discard(parts, original_key(tenant, item_id))
    failpoint("row-committed")
    return kept


def arrived(parts: Parts, arrival: Arrival, upload: Upload) -> Item | None:
    """The same for a photo whose item is there already; None: nobody waits for it any more.

    Raises:
        Overloaded: ``over_quota``.
        BadInput: ``source_missing``: somebody has used it meanwhile.
    """
    tenant, item_id = arrival.tenant, arrival.item_id
    options, batch_key = _stored(parts, tenant, item_id, upload)
    try:
        with withdrawn(parts, original_key(tenant, item_id)):
            kept = parts.ledger.arrive(arrival, options, upload.source, batch_key)
    except (Conflict, NotFound) as error:
        raise BadInput("source_missing", error.detail, field=arrival.kind) from None
    if kept is None and item_id not in parts.ledger.states([item_id]):
        discard(parts, original_key(tenant, item_id))  # deleted, or its tenant was
    failpoint("row-committed")
    return kept


@contextlib.contextmanager
def withdrawn(parts: Parts, key: str) -> Iterator[None]:
    """An object goes if the ledger refuses its row in the block."""
    try:
        yield
    except REFUSED:
        discard(parts, key)
        raise


def discard(parts: Parts, key: str) -> None:
    """Remove an object that no row names."""
    with contextlib.suppress(Unavailable):  # the reconciler finds it; the first error is told
        parts.store.delete(key)


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
