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

_SEQ = re.compile(r"after:(\d{1,18})")
_ID = re.compile(r"after:([a-z0-9][a-z0-9._-]{0,127})")


class Page(BaseModel, Generic[Entry]):
    """Part of a list."""

    items: list[Entry]
    next: str | None = Field(description="`cursor` of the next page; none after the last.")


def encode_cursor(last: int | str) -> str:
    """The cursor of the page after the row with this sequence number or id."""
    return base64.urlsafe_b64encode(f"after:{last}".encode()).decode().rstrip("=")


def decode_cursor(given: str | None) -> int:
    """The sequence number of the last row seen; 0: none has been.

    Raises:
        BadInput: it is not a cursor of this service.
    """
    return 0 if given is None else int(_decode(given, _SEQ))


def next_cursor(seqs: Sequence[int], limit: int) -> str | None:
    """The cursor of the page after one with these rows; None after the last page."""
    return encode_cursor(seqs[-1]) if len(seqs) == limit else None


def next_id_cursor(ids: Sequence[str], limit: int) -> str | None:
    """The same of rows that have no sequence number."""
    return encode_cursor(ids[-1]) if len(ids) == limit else None


def foreign_cursor() -> BadInput:
    """The refusal of a cursor that this service has not given, or not for this list."""
    return BadInput("invalid_option", "cursor is not a cursor of this service.", field="cursor")


def _decode(given: str, form: re.Pattern[str]) -> str:
    try:
        text = base64.urlsafe_b64decode(given + "=" * (-len(given) % 4)).decode()
    except ValueError:
        text = ""
    found = form.fullmatch(text)
    if found is None:
        raise foreign_cursor()
    return found[1]


CursorQuery = Annotated[str | None, Query(description="`next` of the previous page.")]


async def after(cursor: CursorQuery = None) -> int:
    """The sequence number in the request's cursor."""
    return decode_cursor(cursor)


async def after_id(cursor: CursorQuery = None) -> str | None:
    """The id in the request's cursor."""
    return None if cursor is None else _decode(cursor, _ID)


AfterDep = Annotated[int, Depends(after)]
"""The sequence number after which the page begins; 0: at the beginning."""
NewestFirstQuery = Annotated[
    bool, Query(description="Whether to begin with the newest entry, not with the oldest one.")
]
AfterIdDep = Annotated[str | None, Depends(after_id)]
"""The id after which the page begins; None: at the beginning."""
