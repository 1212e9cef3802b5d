"""What an upload holds: its metadata, in tus's format, and its bytes out of the store."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from photoward.api.ingest.digest import ContentDigest
from photoward.core.errors import BadInput, Conflict, NotFound
from photoward.core.object_keys import upload_key
from photoward.core.uploads import DIRECT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from photoward.core.storage import ObjectStore
    from photoward.core.uploads import Upload

MAX_METADATA = 4096
"""Characters."""

_PAIR = re.compile(r"([!-+\--~]+)(?: +([A-Za-z0-9+/]*={0,2}))?")


def parse_metadata(text: str) -> dict[str, str]:
    """``Upload-Metadata`` as tus writes it: ``filename ZmlsZQ==,is_private``.

    Raises:
        BadInput: it is too long or not of that form.
    """
    if len(text) > MAX_METADATA:
        raise BadInput("invalid_option", "It is too long.", field="Upload-Metadata")
    found: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        read = _PAIR.fullmatch(pair)
        if read is None or read[1] in found:
            detail = "It must be keys, each once, with base64 and commas."
            raise BadInput("invalid_option", detail, field="Upload-Metadata")
        found[read[1]] = decode_base64(read[2] or "", "Upload-Metadata").decode(errors="replace")
    return found


def format_metadata(pairs: Mapping[str, str | None]) -> str:
    """The inverse of ``parse_metadata``, without pairs whose value is None."""
    return ",".join(
        f"{name} {base64.b64encode(value.encode(errors='replace')).decode()}"
        for name, value in pairs.items()
        if value is not None
    )


def decode_base64(text: str, header: str) -> bytes:
    """Raises BadInput: ``malformed_request``: ``header``'s value is not base64."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise BadInput("malformed_request", f"{header} is not base64.") from None


def read_upload(store: ObjectStore, upload: Upload) -> Iterator[bytes]:
    """All bytes of an upload.

    Raises:
        BadInput: at the end: they are not as many as announced, or have another digest.
        Conflict: ``upload_incomplete``.
    """
    digest = ContentDigest(parse_metadata(upload.metadata).get("content_digest"))
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
        detail = f"{upload.received} of {upload.length} bytes have come."
        raise Conflict("upload_incomplete", detail) from None
