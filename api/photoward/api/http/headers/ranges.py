"""``Range`` (RFC 9110, 14): one part of a file, so that a download that broke off can go on."""

from __future__ import annotations

import re
from dataclasses import dataclass

_RANGE = re.compile(r"\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.IGNORECASE)


@dataclass(frozen=True)
class ByteRange:
    """Bytes of a file, from ``start`` and before ``end``."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """Number of bytes."""
        return self.end - self.start


def parse_range(
    header: str | None, if_range: str | None, etag: str, length: int
) -> ByteRange | None:
    """The part that a request asks for; None: the whole file.

    Several ranges, other units and malformed headers are ignored, as the RFC permits, and so is a
    range of a file with another tag. An empty part means that the range cannot be satisfied.

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
        return ByteRange(max(0, length - int(last)), length) if last else None
    start, end = int(first), length if not last else int(last) + 1
    if last and end <= start:
        return None
    return ByteRange(start, max(start, min(end, length)))
