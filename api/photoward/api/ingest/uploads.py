"""Uploads: bytes that are stored first, part by part, and become one image later.

A part is in the store before the ledger counts it; what was never counted, the reconciler removes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from photoward.api.ingest import filenames
from photoward.api.ingest.spool import Spool
from photoward.api.ingest.submit import discard, discard_if_refused, submit_image
from photoward.api.ingest.upload_content import parse_metadata, read_upload
from photoward.core.errors import BadInput, Conflict, NotFound
from photoward.core.failpoints import failpoint
from photoward.core.jobs import Details, new_id
from photoward.core.object_keys import upload_key
from photoward.core.uploads import DIRECT, new_part

if TYPE_CHECKING:
    from photoward.api.ingest.services import IngestServices
    from photoward.core.jobs import Item, Options
    from photoward.core.uploads import Upload


NO_DETAILS = Details()


def create_upload(
    services: IngestServices,
    tenant: str,
    length: int,
    metadata: str,
    token_id: str | None = None,
) -> Upload:
    """An upload of which nothing has come.

    Args:
        services: the process's.
        tenant: whose.
        length: bytes that are announced.
        metadata: as ``parse_metadata`` reads it.
        token_id: the upload token that it is made with.

    Raises:
        BadInput: ``body_too_large`` for a photo.
        Denied: ``token_used_up``.
        Overloaded: ``too_many_uploads``.
    """
    settings = services.settings
    if length > settings.upload_max_bytes:
        raise BadInput("body_too_large", f"The limit is {settings.upload_max_bytes} bytes.")
    return services.ledger.uploads.add(
        new_id(),
        tenant,
        length,
        metadata,
        max_uploads=settings.upload_max_pending,
        max_bytes=settings.upload_max_pending_bytes,
        token_id=token_id,
    )


def append_part(services: IngestServices, upload: Upload, part: BinaryIO) -> Upload:
    """Store a part behind what has come.

    Args:
        services: the process's.
        upload: as it was when the part was received.
        part: its bytes; stands at their end.

    Raises:
        Conflict: ``offset_differs``: another request sent that part meanwhile.
        NotFound: the upload was deleted meanwhile.
        Unavailable: the store, its disk or the ledger fails.
    """
    return _store_part(services, upload, part, upload.received)


def replace_content(services: IngestServices, upload: Upload, content: BinaryIO) -> None:
    """Store all bytes of an upload in one piece, in place of what had come.

    Raises:
        BadInput: ``length_mismatch``.
        Others: as ``append_part``.
    """
    if content.tell() != upload.length:
        raise BadInput("length_mismatch", f"{upload.length} bytes were announced.")
    _store_part(services, upload, content, None)


def require_open(upload: Upload, offset: int | None = None) -> None:
    """Refuse a part before it is read, if the ledger would refuse it afterwards: Conflict."""
    if upload.item_id is not None:
        raise Conflict("upload_used", "It has become a photo.")
    if offset not in {None, upload.received}:
        raise Conflict("offset_differs", f"{upload.received} bytes have come.")


def submit_upload(  # noqa: PLR0913  # what makes an image
    services: IngestServices,
    tenant: str,
    upload_id: str,
    options: Options,
    *,
    batch_id: str | None = None,
    request: str | None = None,
    details: Details = NO_DETAILS,
) -> Item:
    """Make an upload an image, or find the image that it has become; it is checked like any other.

    Raises:
        BadInput: it is not a photo that can be accepted, or not what was announced.
        Conflict: ``upload_incomplete``; ``upload_used``: for other options, or its image is gone.
        NotFound: the tenant has no such upload.
        Overloaded: ``over_quota``.
    """
    upload = services.ledger.uploads.get(tenant, upload_id)
    if upload.item_id is None:
        try:
            return _submit(services, upload, options, batch_id, request, details)
        except (Conflict, NotFound):
            upload = services.ledger.uploads.get(tenant, upload_id)
            if upload.item_id is None:
                raise
    return _submitted(services, upload, options, batch_id, details)  # another request was faster


def delete_upload(services: IngestServices, tenant: str, upload_id: str) -> None:
    """Forget an upload; the image that it became stays. Raises NotFound."""
    discard_content(services, services.ledger.uploads.delete(tenant, upload_id))


def discard_content(services: IngestServices, upload: Upload) -> None:
    """Remove all objects of an upload as it was."""
    for name in (*upload.parts, DIRECT):
        discard(services, upload_key(upload.tenant, upload.id, name))


def _store_part(
    services: IngestServices, upload: Upload, file: BinaryIO, start: int | None
) -> Upload:
    """Object first, row second; an object that may have been counted is left to the reconciler."""
    services.admission.require_disk_space()
    size = file.tell()
    file.seek(0)
    name = new_part(start or 0)
    key = upload_key(upload.tenant, upload.id, name)
    services.store.put(key, file)
    failpoint("part-stored")
    with discard_if_refused(services, key):
        counted = services.ledger.uploads.append_part(
            upload.tenant, upload.id, name, size, start=start
        )
    failpoint("part-counted")
    return counted


def _submit(  # noqa: PLR0913, PLR0917  # what makes an image
    services: IngestServices,
    upload: Upload,
    options: Options,
    batch_id: str | None,
    request: str | None,
    details: Details,
) -> Item:
    metadata = parse_metadata(upload.metadata)
    name = filenames.clean(metadata.get("filename", ""))
    declared = metadata.get("filetype")
    with Spool.for_service(services.settings, declared=declared, filename=name) as spool:
        for chunk in read_upload(services.store, upload):
            spool.write(chunk)
        image = spool.checked(options)
        item = submit_image(
            services,
            upload.tenant,
            image,
            batch_id=batch_id,
            request=request,
            upload_id=upload.id,
            details=details,
        )
    failpoint("upload-used")
    discard_content(services, upload)
    return item


def _submitted(
    services: IngestServices,
    upload: Upload,
    options: Options,
    batch_id: str | None,
    details: Details,
) -> Item:
    try:
        item = services.ledger.items.get(upload.tenant, upload.item_id or "")
    except NotFound:
        raise Conflict("upload_used", "The photo that it became has been removed.") from None
    same, _ = services.catalogue.placed(options, item.source.width, item.source.height)
    if (item.options, item.batch_id, item.details) != (same, batch_id, details):
        raise Conflict("upload_used", "It became a photo of other options or another batch.")
    return item
