"""Pages of a list: the cursor names where one ended and the next one begins."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel, Field

from photoward.core.errors import BadInput

Entry = TypeVar("Entry")

_FORM = re.compile(r"after:(\d{1,18})")


class Page(BaseModel, Generic[Entry]):
    """Part of a list."""

    items: list[Entry]
    next: str | None = Field(description="`cursor` of the next page; none after the last.")


def encode_cursor(seq: int) -> str:
    """The cursor of the page after a row with this sequence number."""
    return base64.urlsafe_b64encode(f"after:{seq}".encode()).decode().rstrip("=")


def decode_cursor(given: str | None) -> int:
    """The sequence number of the last row seen; 0: none has been.

    Raises:
        BadInput: it is not a cursor of this service.
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


def next_cursor(seqs: Sequence[int], limit: int) -> str | None:
    """The cursor of the page after one with these rows; None after the last page."""
    return encode_cursor(seqs[-1]) if len(seqs) == limit else None


async def after(
    cursor: Annotated[str | None, Query(description="`next` of the previous page.")] = None,
) -> int:
    """The sequence number in the request's cursor."""
    return decode_cursor(cursor)


AfterDep = Annotated[int, Depends(after)]
"""The sequence number after which the page begins; 0: at the beginning."""
