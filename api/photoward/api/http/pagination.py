"""Opaque places in a list: where a page ended, for the next one to begin."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, Query

from photoward.core.errors import BadInput

_FORM = re.compile(r"after:(\d{1,18})")


def cursor(seq: int) -> str:
    """What a caller is given of a place."""
    return base64.urlsafe_b64encode(f"after:{seq}".encode()).decode().rstrip("=")


def after(given: str | None) -> int:
    """The place; 0, before everything, if none is given.

    Raises:
        BadInput: it is none of ours.
    """
    if given is None:
        return 0
    try:
        text = base64.urlsafe_b64decode(given + "=" * (-len(given) % 4)).decode()
    except ValueError:
        text = ""
    found = _FORM.fullmatch(text)
    if found is None:
        raise BadInput("invalid_option", "cursor is not a cursor of this service.", field="cursor")
    return int(found[1])


def following(places: Sequence[int], limit: int) -> str | None:
    """The cursor of the page after one with these places; None after the last."""
    return cursor(places[-1]) if len(places) == limit else None


async def place(
    cursor: Annotated[str | None, Query(description="`next` of the page before.")] = None,
) -> int:
    """The place that the request's cursor names."""
    return after(cursor)


PlaceDep = Annotated[int, Depends(place)]
