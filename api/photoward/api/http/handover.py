"""From a checked upload to an item: object first, row second."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from photoward.core.errors import Unavailable
from photoward.core.jobs import new_id
from photoward.core.ports import original_key

if TYPE_CHECKING:
    from photoward.api.http.deps import Parts
    from photoward.api.http.intake import Upload
    from photoward.core.jobs import Item


def accept(parts: Parts, tenant: str, upload: Upload, batch_id: str | None = None) -> Item:
    """Object first, row second: a row without its object would be a promise nobody can keep."""
    item_id = new_id()
    key = original_key(tenant, item_id)
    source = upload.source
    options, batch_key = parts.catalogue.placed(upload.options, source.width, source.height)
    parts.store.put(key, upload.file)
    try:
        return parts.ledger.add(item_id, tenant, options, source, batch_key, batch=batch_id)
    except BaseException:
        with contextlib.suppress(Unavailable):  # the sweeper finds it; the first error is told
            parts.store.delete(key)
        raise
