"""Keys of objects in the store: which tenant's which image or upload part lies where."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from photoward.core.jobs import Item


def original_key(tenant: str, item_id: str) -> str:
    """Where an upload lies."""
    return f"originals/{tenant}/{item_id}"


def output_key(tenant: str, item_id: str, size: tuple[int, int] | None = None) -> str:
    """Where its protected file lies, or a smaller rendition of that width and height."""
    key = f"outputs/{tenant}/{item_id}"
    return key if size is None else f"{key}-{size[0]}x{size[1]}"


def output_keys(item: Item) -> dict[tuple[int, int], str]:
    """Where each file of an item lies, by width and height, largest first."""
    largest, *smaller = item.options.output_sizes(item.source.width, item.source.height)
    further = {size: output_key(item.tenant, item.id, size) for size in smaller}
    return {largest: output_key(item.tenant, item.id), **further}


def object_keys(item: Item) -> list[str]:
    """Where everything of an item may lie: its original and all of its files."""
    return [original_key(item.tenant, item.id), *output_keys(item).values()]


def upload_key(tenant: str, upload_id: str, part: str) -> str:
    """Where a part of an upload lies."""
    return f"uploads/{tenant}/{upload_id}-{part}"


def item_of(key: str) -> str:
    """The id of the item that an original or output belongs to, or of a part's upload."""
    return key.rpartition("/")[2].partition("-")[0]


def part_of(key: str) -> str:
    """The name of a part of an upload."""
    return key.rpartition("/")[2].partition("-")[2]
