"""Pages of lists whose rows have a ``seq``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Column, Select


def in_order(
    query: Select[Any], seq: Column[int], after: int, *, newest_first: bool = False
) -> Select[Any]:
    """The rows past ``after`` (0: from the beginning) in the order of ``seq``, or against it."""
    if not newest_first:
        return query.where(seq > after).order_by(seq)
    return (query.where(seq < after) if after else query).order_by(seq.desc())
