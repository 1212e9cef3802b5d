"""The protected files of an image: which there are, and their bytes out of the store."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from photoward.api.delivery.filenames import archive_path
from photoward.api.ingest.batches import iter_images
from photoward.core.errors import BadInput, Conflict, NotFound
from photoward.core.jobs import PUBLIC_STATES
from photoward.core.object_keys import output_key, output_keys
from photoward.core.renditions import of_side

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from photoward.core.jobs import Item
    from photoward.core.ledger import Ledger
    from photoward.core.storage import ObjectStore

RESULTS = "results.ndjson"
"""The last file of a batch's zip: a line for each image."""


@dataclass(frozen=True)
class ProtectedFile:
    """One protected file."""

    key: str
    """In the store."""
    sha256: str
    length: int
    """Bytes."""
    media_type: str
    rendition: str = ""
    """Its name, if the image has several files."""
    suffix: str = ""
    """What tells its name in a folder from that of the others, if there are some."""
    measured: Mapping[str, Any] = field(default_factory=dict)


def list_files(item: Item) -> list[ProtectedFile]:
    """All files of an image, the largest first. Raises Conflict: ``not_ready``."""
    if item.output is None:
        raise Conflict("not_ready", f"The image is {PUBLIC_STATES[item.state]}.")
    placements = item.options.placements(item.source.width, item.source.height)
    figures = (item.measured, *(one.measured for one in item.output.renditions))
    several = bool(item.options.renditions)
    named = {one.name for one in item.options.renditions}
    return [
        ProtectedFile(
            output_keys(item)[one.name],
            made.sha256,
            made.size,
            made.media_type,
            one.name if several else "",
            (one.name if one.name in named else str(max(one.size))) if number else "",
            measured,
        )
        for number, (one, made, measured) in enumerate(
            zip(placements, item.output.files, figures, strict=True)
        )
    ]


def select_file(item: Item, size: int | None = None, rendition: str | None = None) -> ProtectedFile:
    """The largest file of an image, or one of the others.

    Args:
        item: the image.
        size: pixels of the longer side that was asked for in ``sizes``.
        rendition: the name of one of ``renditions``.

    Raises:
        BadInput: there is no such rendition.
        Conflict: ``not_ready``.
    """
    files = list_files(item)
    if size is None and rendition is None:
        return files[0]
    wanted, field_name = rendition, "rendition"
    if wanted is None:
        side = of_side(size or 1)
        wanted, field_name = side.placed(item.source.width, item.source.height).name, "size"
    keys = dict(zip(output_keys(item), files, strict=True))
    if wanted not in keys:
        there = ", ".join(keys)
        raise BadInput(
            "invalid_option",
            f"This rendition does not exist; these do: {there}.",
            field=field_name,
        )
    return keys[wanted]


def open_file(
    store: ObjectStore, file: ProtectedFile, start: int, end: int | None
) -> Iterator[bytes]:
    """A file's bytes from ``start`` and before ``end``.

    The first chunk is read here, so that a missing file is a NotFound and not half an answer.
    """
    return begun(store.stream(file.key, start=start, end=end))


def begun(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, the first chunk read: what cannot be read is an error, not half an answer."""
    return _joined(next(chunks, b""), chunks)


def _joined(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield first
        yield from rest
    finally:
        close = getattr(rest, "close", None)  # a generator holds what it reads
        if close is not None:
            close()


def batch_files(
    ledger: Ledger,
    store: ObjectStore,
    tenant: str,
    batch_id: str,
    describe: Callable[[Item], bytes],
) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Path and bytes of each protected file of a batch, and last of ``RESULTS``.

    What is deleted meanwhile is in neither.

    Args:
        ledger: knows the images.
        store: has their files.
        tenant: whose.
        batch_id: of the batch.
        describe: an image's line in ``RESULTS``.
    """
    lines = []
    for item in iter_images(ledger, tenant, batch_id):
        if item.output is not None:
            path = archive_path(item.source.filename, item.output.media_type)
            try:
                chunks = store.stream(output_key(tenant, item.id))
            except NotFound:
                continue
            yield path, chunks
        lines.append(describe(item))
    yield RESULTS, iter(lines)
