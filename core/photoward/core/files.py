"""Files that appear whole or not at all; knows nothing of what is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from photoward.core.errors import Unavailable

if TYPE_CHECKING:
    from pathlib import Path


def write_whole(target: Path, data: bytes) -> None:
    """Write a file, and the folders above it, so that nobody sees half of it.

    Raises:
        Unavailable: it cannot be written.
    """
    draft = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(data)
        draft.replace(target)
    except OSError as error:
        raise Unavailable(f"{target} cannot be written: {error.strerror}.") from error
