"""Photos that are named instead of sent: from a manifest's lines to items that will be fetched."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import structlog
from anyio import to_thread

from photoward.api.http.body.reader import JSON, kind_of, received
from photoward.api.ingest.archives.importer import problem_of
from photoward.api.ingest.json_lines import MAX_BYTES, Lines, Listed
from photoward.api.ingest.manifest import FILE, Manifest
from photoward.api.ingest.sources import NAMED
from photoward.core.errors import BadInput, Overloaded
from photoward.core.fetches import Expected
from photoward.core.jobs import State, new_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import Request

    from photoward.api.http.deps import Parts
    from photoward.api.ingest.json_lines import Line

NDJSON = "application/x-ndjson"
READERS: dict[str, type[Lines | Listed]] = {NDJSON: Lines, JSON: Listed}

SOURCES = "; ".join(f"`{name}`: {what}" for name, what in NAMED.items())
LISTED: dict[str, Any] = {
    "type": "array",
    "description": f"Objects with one source each ({SOURCES}), `{FILE}`, its name if not the "
    "source's own, and the options that `POST /v1/images` takes. Each is checked by itself.",
    "items": {},
}
LINED = {"schema": {"type": "string", "description": "The same, an object a line."}}
EXAMPLE = [{"key": "inbox/cats/1.jpg", "label": "cat"}]

log = structlog.get_logger("photoward.batches")


async def read_lines(request: Request) -> list[Line]:
    """A body that is a manifest. Raises BadInput: it is none."""
    kind = kind_of(request)
    if kind not in READERS:
        raise BadInput("unsupported_content_type", f"Send {NDJSON} or {JSON}.")
    reader = READERS[kind]()
    async for chunk in received(request, MAX_BYTES, MAX_BYTES):
        reader.feed(chunk)
    return await to_thread.run_sync(reader.finish)


def manifest_request(batch_id: str, key: str, lines: Sequence[Line]) -> str:
    """A name of a manifest: one half says what it was asked under, the other what it says."""
    said = [line.detail if isinstance(line, BadInput) else line for line in lines]
    told = f"{batch_id}\0{key}", json.dumps(said, sort_keys=True)
    return "".join(hashlib.sha256(half.encode()).hexdigest()[:32] for half in told)


def require_room(parts: Parts, count: int) -> None:
    """Raises Overloaded: with so many more, too many would be waiting to be fetched."""
    waiting = parts.ledger.depth().get(State.RECEIVED, 0)
    if waiting + count > parts.settings.fetch_max_pending:
        raise Overloaded("The limit of photos that wait to be fetched is reached.")


def expect(  # noqa: PLR0913  # what a manifest is, and for whom
    parts: Parts, tenant: str, batch_id: str, lines: Sequence[Line], *,
    defaults: Mapping[str, Any], key: str | None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Make an item of each line that names a photo.

    Args:
        parts: the service's.
        tenant: whose.
        batch_id: the items' batch.
        lines: as they came.
        defaults: the batch's options.
        key: the same manifest under it is done once.

    Returns:
        What became of each line: its `id` or its `problem`.

    Raises:
        BadInput: ``request_differs``: the key was used for another manifest.
        Overloaded: too many are waiting to be fetched.
    """
    name = f"{tenant}\0{batch_id}\0{key or new_id()}"
    request = key and manifest_request(batch_id, key, lines)  # before they are taken apart
    manifest = Manifest(tenant, parts.kinds, parts.catalogue, defaults, name)
    told, expected = [], []
    for one in manifest.checked(lines, parts.ledger.states if key else lambda _: ()):
        about: dict[str, Any] = {"line": one.number, "file": one.file}
        if isinstance(one.outcome, Expected):
            expected.append(one.outcome)
            about["id"] = one.outcome.item_id
        else:
            about["problem"] = problem_of(one.outcome)
        told.append(about)
    require_room(parts, len(expected))
    parts.ledger.expect(tenant, batch_id, expected, parts.tracer.here(), request)
    parts.expecting.set()
    log.info("manifest", batch=batch_id, accepted=len(expected), lines=len(told))
    return told
