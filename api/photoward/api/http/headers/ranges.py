"""Parts of a file that are asked for (RFC 9110, 14): whose download broke off goes on with it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_RANGE = re.compile(r"\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    """Bytes of a file, from ``start`` and before ``end``."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """How many."""
        return self.end - self.start


def wanted(header: str | None, if_range: str | None, etag: str, length: int) -> Part | None:
    """The part that a request asks for; None: the whole.

    Several parts, other units and what cannot be read are not honoured, as the RFC lets one; nor
    is a part of what has another tag by now. An empty part is one that there is not.

    Args:
        header: ``Range``.
        if_range: ``If-Range``.
        etag: the file's, with its quotes.
        length: of the file, in bytes.
    """
    found = _RANGE.fullmatch(header or "")
    if found is None or (if_range is not None and if_range.strip() != etag):
        return None
    first, last = found.groups()
    if not first:
        return Part(max(0, length - int(last)), length) if last else None
    start, end = int(first), length if not last else int(last) + 1
    if last and end <= start:
        return None
    return Part(start, max(start, min(end, length)))
