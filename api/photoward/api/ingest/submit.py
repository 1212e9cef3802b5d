"""How a checked photo becomes an image: object first, row second, wake-up last.

A row without its object would be a promise that nobody can keep; an object without its row is
removed by the reconciler.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from photoward.core.catalogue import FORMATS, PASS
from photoward.core.errors import BadInput, Conflict, Denied, NotFound, Overloaded, Unavailable
from photoward.core.failpoints import failpoint
from photoward.core.jobs import Details, new_id
from photoward.core.object_keys import object_keys, original_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from photoward.api.ingest.services import IngestServices
    from photoward.api.ingest.spool import CheckedImage
    from photoward.core.fetches import FetchJob
    from photoward.core.jobs import Item, Options

NO_DETAILS = Details()

REFUSALS = (BadInput, Conflict, Denied, NotFound, Overloaded)
"""How the ledger says that it has written nothing. After any other error it may have committed, and
then the object that the row names must stay."""


def submit_image(  # noqa: PLR0913  # what makes an image
    services: IngestServices,
    tenant: str,
    image: CheckedImage,
    *,
    batch_id: str | None = None,
    request: str | None = None,
    upload_id: str | None = None,
    details: Details = NO_DETAILS,
    replaces: bool = False,
) -> Item:
    """Store a photo and queue it.

    Args:
        services: the process's.
        tenant: whose.
        image: what came.
        batch_id: of the batch that it belongs to.
        request: the digest of an idempotency key: under the same one the image of then is returned.
        upload_id: of the upload that it is made of, and that is used up in the same transaction.
        details: what the client says of it.
        replaces: whether it replaces an image of the batch, which may then be closed.

    Raises:
        BadInput: ``request_differs``, ``already_protected``.
        Conflict: ``upload_used``.
        Denied: ``token_used_up``.
        NotFound: there is no such batch or upload.
        Overloaded: ``over_quota``.
        Unavailable: the store or the ledger does not answer.
    """
    image_id = new_id()
    image = _recognised(services, tenant, image)
    options, group_key = _store_original(services, tenant, image_id, image)
    with discard_if_refused(services, original_key(tenant, image_id)):
        item = services.ledger.items.add(
            image_id,
            tenant,
            options,
            image.source,
            group_key,
            batch_id=batch_id,
            idempotency_key=request,
            traceparent=services.tracer.traceparent(),
            upload_id=upload_id,
            details=details,
            replaces=replaces,
        )
    if item.id != image_id:
        discard(services, original_key(tenant, image_id))
    failpoint("row-committed")
    return item


def complete_fetch(services: IngestServices, job: FetchJob, image: CheckedImage) -> Item | None:
    """Store a fetched photo and queue the image that waits for it; None: nothing waits any more.

    Raises:
        Overloaded: ``over_quota``.
        BadInput: ``already_protected``; ``source_missing``: its upload was used meanwhile.
        Unavailable: the store or the ledger does not answer.
    """
    tenant, image_id = job.tenant, job.item_id
    image = _recognised(services, tenant, image)
    options, group_key = _store_original(services, tenant, image_id, image)
    try:
        with discard_if_refused(services, original_key(tenant, image_id)):
            item = services.ledger.fetches.complete(job, options, image.source, group_key)
    except (Conflict, NotFound) as error:
        raise BadInput("source_missing", error.detail, field=job.source_kind) from None
    if item is None and image_id not in services.ledger.items.states([image_id]):
        discard(services, original_key(tenant, image_id))  # deleted, or its tenant was
    failpoint("row-committed")
    return item


def delete_image(
    services: IngestServices, tenant: str, image_id: str, *, audited: bool = True
) -> None:
    """Cancel and hide an image, and remove its objects.

    Args:
        services: the process's.
        tenant: whose.
        image_id: of the image.
        audited: whether the audit log records it, as what the caller asked for.

    Raises:
        NotFound: the tenant has no such image.
    """
    item = services.ledger.items.delete(tenant, image_id, audited=audited)
    for key in object_keys(item):
        services.store.delete(key)


@contextlib.contextmanager
def discard_if_refused(services: IngestServices, key: str) -> Iterator[None]:
    """Remove an object if the ledger refuses its row in the block."""
    try:
        yield
    except REFUSALS:
        discard(services, key)
        raise


def discard(services: IngestServices, key: str) -> None:
    """Remove an object that no row names; what the store does not remove, the reconciler does."""
    with contextlib.suppress(Unavailable):  # the error that led here is the one to report
        services.store.delete(key)


def _recognised(services: IngestServices, tenant: str, image: CheckedImage) -> CheckedImage:
    """The photo, and whether it is an output that is to be left as it is.

    Raises:
        BadInput: ``already_protected``: it is an output, and not to be passed or not of one file.
    """
    source, options = image.source, image.options
    made_by = services.ledger.outputs.find_item(tenant, source.sha256)
    if made_by is None and not source.protected:
        return image
    one_file = not options.renditions and source.media_type in FORMATS.values()
    if options.already_protected == PASS and one_file:
        return replace(image, source=replace(source, protected=True))
    detail = "Noise upon noise only costs quality; sizes are made of the original."
    if made_by is not None:
        detail = f"It is the protected file of image {made_by}. {detail}"
    raise BadInput("already_protected", detail, field="already_protected", image=made_by)


def _store_original(
    services: IngestServices, tenant: str, image_id: str, image: CheckedImage
) -> tuple[Options, str]:
    """The image's final options and its batch key."""
    source = image.source
    options, group_key = services.catalogue.placed(image.options, source.width, source.height)
    services.store.put(original_key(tenant, image_id), image.file)
    failpoint("original-stored")
    return options, group_key
