"""Bytes that are brought in first and used later: into the store part by part, out as one photo.

A part is in the store before the ledger counts it; what was never counted, the reconciler removes.
"""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, BinaryIO, cast

from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from photoward.api.http.body import reader as intake
from photoward.api.http.headers import tus
from photoward.api.ingest import filenames
from photoward.api.ingest.digest import ContentDigest
from photoward.api.ingest.spool import IN_MEMORY, Spool, no_room
from photoward.api.ingest.submit import accept, discard, withdrawn
from photoward.core.errors import BadInput, Conflict, NotFound
from photoward.core.failpoints import failpoint
from photoward.core.jobs import new_id
from photoward.core.object_keys import upload_key
from photoward.core.uploads import DIRECT, new_part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import Request

    from photoward.api.http.deps import Parts
    from photoward.api.http.headers.tus import Checksum
    from photoward.core.jobs import Item, Options
    from photoward.core.ports import ObjectStore
    from photoward.core.uploads import Upload


def begin(parts: Parts, tenant: str, length: int, metadata: str) -> Upload:
    """An upload of which nothing has come.

    Raises:
        BadInput: it would be too large for a photo.
        Overloaded: the tenant has too many.
    """
    settings = parts.settings
    if length > settings.upload_max_bytes:
        raise BadInput("body_too_large", f"The limit is {settings.upload_max_bytes} bytes.")
    return parts.ledger.add_upload(
        new_id(), tenant, length, metadata,
        most=settings.upload_max_pending, most_bytes=settings.upload_max_pending_bytes,
    )  # fmt: skip


async def go_on(request: Request, parts: Parts, upload: Upload, checksum: Checksum) -> Upload:
    """Take a body as the next part.

    Of one that breaks off, what came is kept, unless it can only be trusted as a whole.

    Raises:
        BadInput: it is too long, or not what was announced; then nothing of it is kept.
        Conflict: somebody else sent that part meanwhile.
        NotFound: the upload was deleted meanwhile.
    """
    broken: Exception | None = None
    with _spooled() as file:
        try:
            await _fill(request, file, upload.length - upload.arrived, checksum)
        except (ClientDisconnect, HTTPException) as error:
            if checksum.wanted or "content-digest" in request.headers:
                raise
            broken = error
        if file.tell():
            upload = await to_thread.run_sync(
                _keep, parts, upload, file, upload.arrived, limiter=parts.storing
            )
    if broken is not None:
        raise broken
    return upload


async def replace(request: Request, parts: Parts, upload: Upload) -> None:
    """Take a body as all that an upload is, whatever came before. Raises as ``go_on`` does."""
    with _spooled() as file:
        await _fill(request, file, upload.length, tus.Checksum(None))
        if file.tell() != upload.length:
            raise BadInput("length_mismatch", f"{upload.length} bytes were announced.")
        await to_thread.run_sync(_keep, parts, upload, file, None, limiter=parts.storing)
    await to_thread.run_sync(_discard, parts, upload, limiter=parts.at_store)


def require_open(upload: Upload, start: int | None = None) -> None:
    """Refuse a part before it is read, if that shows already, as the ledger would: Conflict."""
    if upload.item is not None:
        raise Conflict("upload_used", "It has become a photo.")
    if start not in {None, upload.arrived}:
        raise Conflict("offset_differs", f"{upload.arrived} bytes have come.")


def _spooled() -> BinaryIO:
    return cast("BinaryIO", tempfile.SpooledTemporaryFile(IN_MEMORY))


async def _fill(request: Request, file: BinaryIO, room: int, checksum: Checksum) -> None:
    async for chunk in intake.received(request, room, room):
        checksum.feed(chunk)
        try:
            file.write(chunk)
        except OSError as error:
            raise no_room(error, "upload") from error
    checksum.check()


def _keep(parts: Parts, upload: Upload, file: BinaryIO, start: int | None) -> Upload:
    """Object first, row second; an object that may have been counted is left to the reconciler."""
    parts.admission.require_space()
    size = file.tell()
    file.seek(0)
    name = new_part(start or 0)
    key = upload_key(upload.tenant, upload.id, name)
    parts.store.put(key, file)
    failpoint("part-stored")
    with withdrawn(parts, key):
        kept = parts.ledger.write_upload(upload.tenant, upload.id, name, size, start=start)
    failpoint("part-counted")
    return kept


def use(  # noqa: PLR0913, PLR0917  # what makes an item
    parts: Parts, tenant: str, upload_id: str, options: Options, batch_id: str | None = None,
    request: str | None = None,
) -> Item:  # fmt: skip
    """Make an upload an item, or find the one that it has become; checked like any other photo.

    Raises:
        BadInput: it is no photo that can be taken, or not what was announced.
        Conflict: ``upload_incomplete``; ``upload_used``: for other options, or its item is gone.
        NotFound: there is no such upload of this tenant.
        Overloaded: ``over_quota``.
    """
    upload = parts.ledger.upload(tenant, upload_id)
    if upload.item is None:
        try:
            return _used(parts, upload, options, batch_id, request)
        except (Conflict, NotFound):
            upload = parts.ledger.upload(tenant, upload_id)
            if upload.item is None:
                raise
    return _found(parts, upload, options, batch_id)  # somebody was faster


def _used(
    parts: Parts, upload: Upload, options: Options, batch_id: str | None, request: str | None
) -> Item:
    told = tus.metadata(upload.metadata)
    name = filenames.clean(told.get("filename", ""))
    with Spool.of(parts.settings, declared=told.get("filetype"), filename=name) as spool:
        for chunk in whole(parts.store, upload):
            spool.write(chunk)
        photo = intake.Upload(spool.finish(), options, spool.file())
        item = accept(parts, upload.tenant, photo, batch_id, request, upload.id)
    failpoint("upload-used")
    _discard(parts, upload)
    return item


def whole(store: ObjectStore, upload: Upload) -> Iterator[bytes]:
    """All that came.

    Raises:
        BadInput: it is not what was announced; that shows at the end.
        Conflict: ``upload_incomplete``.
    """
    digest = ContentDigest(tus.metadata(upload.metadata).get("content_digest"))
    size = 0
    for chunk in _chunks(store, upload):
        size += len(chunk)
        digest.feed(chunk)
        yield chunk
    if size != upload.length:
        raise BadInput("length_mismatch", f"{upload.length} bytes announced, {size} came.")
    digest.check()


def _chunks(store: ObjectStore, upload: Upload) -> Iterator[bytes]:
    if upload.complete:
        for name in upload.parts:
            yield from store.stream(upload_key(upload.tenant, upload.id, name))
        return
    try:
        yield from store.stream(upload_key(upload.tenant, upload.id, DIRECT))
    except NotFound:
        detail = f"{upload.arrived} of {upload.length} bytes have come."
        raise Conflict("upload_incomplete", detail) from None


def _found(parts: Parts, upload: Upload, options: Options, batch_id: str | None) -> Item:
    try:
        item = parts.ledger.get(upload.tenant, upload.item or "")
    except NotFound:
        raise Conflict("upload_used", "The photo that it became has been removed.") from None
    same, _ = parts.catalogue.placed(options, item.source.width, item.source.height)
    if (item.options, item.batch) != (same, batch_id):
        raise Conflict("upload_used", "It became a photo of other options or another batch.")
    return item


def remove(parts: Parts, tenant: str, upload_id: str) -> None:
    """Forget an upload; what it became stays. Raises NotFound."""
    _discard(parts, parts.ledger.remove_upload(tenant, upload_id))


def _discard(parts: Parts, upload: Upload) -> None:
    for name in (*upload.parts, DIRECT):
        discard(parts, upload_key(upload.tenant, upload.id, name))
