"""A manifest in a request's body, as NDJSON or as a JSON list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyio import to_thread

from photoward.api.http.body.reader import JSON, media_type, receive
from photoward.api.ingest.ndjson import MAX_BYTES, ListReader, NdjsonReader
from photoward.core.errors import BadInput

if TYPE_CHECKING:
    from fastapi import Request

    from photoward.api.ingest.ndjson import Line

NDJSON = "application/x-ndjson"
READERS: dict[str, type[NdjsonReader | ListReader]] = {NDJSON: NdjsonReader, JSON: ListReader}


async def read_manifest(request: Request) -> list[Line]:
    """The lines of a manifest, not parsed yet. Raises BadInput: the body is not a manifest."""
    content_type = media_type(request)
    if content_type not in READERS:
        raise BadInput("unsupported_content_type", f"Send {NDJSON} or {JSON}.")
    reader = READERS[content_type]()
    async for chunk in receive(request, MAX_BYTES, MAX_BYTES):
        reader.feed(chunk)
    return await to_thread.run_sync(reader.finish)
