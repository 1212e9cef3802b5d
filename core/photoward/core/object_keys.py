"""Keys of objects in the store: which tenant's which image or upload part lies where."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from photoward.core.jobs import Item


def original_key(tenant: str, item_id: str) -> str:
    """Where an upload lies."""
    return f"originals/{tenant}/{item_id}"


def output_key(tenant: str, item_id: str, rendition: str | None = None) -> str:
    """Where its protected file lies, or a further rendition of that name."""
    key = f"outputs/{tenant}/{item_id}"
    return key if rendition is None else f"{key}-{rendition}"


def output_keys(item: Item) -> dict[str, str]:
    """Where each file of an item lies, by name, in the order of ``Options.placements``."""
    first, *further = item.options.placements(item.source.width, item.source.height)
    others = {one.name: output_key(item.tenant, item.id, one.name) for one in further}
    return {first.name: output_key(item.tenant, item.id), **others}


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
