"""What is done to all images of a batch: iterate, retry, cancel."""

from __future__ import annotations

import hashlib
import io
from contextlib import suppress
from typing import TYPE_CHECKING

from photoward.api.ingest.spool import CheckedImage
from photoward.api.ingest.submit import delete_image, submit_image
from photoward.core.errors import NotFound, is_ours
from photoward.core.jobs import State
from photoward.core.object_keys import original_key

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from photoward.api.ingest.services import IngestServices
    from photoward.core.jobs import Batch, Item
    from photoward.core.ledger import Ledger

PAGE_SIZE = 500
"""Images in one query of the ledger."""


def iter_images(
    ledger: Ledger, tenant: str, batch_id: str, states: Collection[State] | None = None
) -> Iterator[Item]:
    """A batch's images, or those in some states, in the order of arrival; read page by page."""
    seen = 0
    while True:
        page = ledger.batches.list_items(
            tenant, batch_id, after=seen, limit=PAGE_SIZE, states=states
        )
        yield from (item for _, item in page)
        if len(page) < PAGE_SIZE:
            return
        seen = page[-1][0]


def retry_batch(services: IngestServices, tenant: str, batch_id: str) -> None:
    """Submit anew what failed through a fault of the service, as long as its original is stored.

    A new image takes the failed one's place. What could not be fetched is fetched again. What a
    call that broke off has submitted already is not submitted twice.
    """
    if services.ledger.fetches.retry_failed(tenant, batch_id):
        services.fetch_wake_up.set()
    for item in list(iter_images(services.ledger, tenant, batch_id, {State.FAILED})):
        if is_ours(item.error_code or "internal_error"):
            _retry(services, item, batch_id)


def cancel_batch(services: IngestServices, tenant: str, batch_id: str) -> Batch:
    """Cancel all images that have not ended and remove their originals; the batch afterwards."""
    for item in services.ledger.batches.cancel(tenant, batch_id):
        if item.state is not State.RECEIVED:  # of those nothing has come
            services.store.delete(original_key(tenant, item.id))
    return services.ledger.batches.get(tenant, batch_id)


def _retry(services: IngestServices, failed: Item, batch_id: str) -> None:
    try:
        original = services.store.get(original_key(failed.tenant, failed.id))
    except NotFound:
        return
    request = hashlib.sha256(f"retry {failed.id}".encode()).hexdigest()
    image = CheckedImage(failed.source, failed.options, io.BytesIO(original))
    item = submit_image(
        services,
        failed.tenant,
        image,
        batch_id=batch_id,
        request=request,
        details=failed.details,
        replaces=True,
    )
    services.notifier.notify(item.id)
    with suppress(NotFound):  # another call was faster
        delete_image(services, failed.tenant, failed.id, audited=False)
