"""The protected files of an image: which there are, and their bytes out of the store."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from photoward.api.delivery.filenames import archive_path
from photoward.api.ingest.batches import iter_images
from photoward.core.errors import BadInput, Conflict, NotFound
from photoward.core.jobs import PUBLIC_STATES, scaled_size
from photoward.core.object_keys import output_key, output_keys

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
    side: int | None = None
    """Pixels of its longer side, if the image has several files."""
    measured: Mapping[str, Any] = field(default_factory=dict)


def select_file(item: Item, size: int | None = None) -> ProtectedFile:
    """The largest file of an image, or the rendition whose longer side was to have ``size`` pixels.

    Raises:
        BadInput: there is no such rendition.
        Conflict: ``not_ready``.
    """
    if item.output is None:
        raise Conflict("not_ready", f"The image is {PUBLIC_STATES[item.state]}.")
    output, keys = item.output, output_keys(item)
    source = item.source
    wanted = next(iter(keys)) if size is None else scaled_size(source.width, source.height, size)
    if wanted not in keys:
        sizes = ", ".join(str(max(one)) for one in keys)
        raise BadInput(
            "invalid_option", f"This size does not exist; these do: {sizes}.", field="size"
        )
    for one in output.renditions:
        if (one.width, one.height) == wanted:
            return ProtectedFile(
                keys[wanted], one.sha256, one.size, output.media_type, max(wanted), one.measured
            )
    return ProtectedFile(
        keys[wanted], output.sha256, output.size, output.media_type, measured=item.measured
    )


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
