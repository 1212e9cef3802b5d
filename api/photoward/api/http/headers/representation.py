"""Headers of a file that is served: tag and digest (RFC 9110, RFC 9530), extent, reservation."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from photoward.api.http.headers.ranges import ByteRange

RESERVATION = {"X-Robots-Tag": "noai, noimageai", "TDM-Reservation": "1"}
"""What a protected file's XMP says of data mining, for crawlers, before they read the file."""


def digest_headers(sha256: str) -> dict[str, str]:
    """``ETag`` and ``Repr-Digest`` of a file, by its SHA-256 in hexadecimal."""
    digest = base64.b64encode(bytes.fromhex(sha256)).decode()
    return {"ETag": f'"{sha256}"', "Repr-Digest": f"sha-256=:{digest}:"}


def extent_headers(length: int, part: ByteRange | None) -> dict[str, str]:
    """``Content-Length`` of a part, with its ``Content-Range``; None: of the whole file."""
    if part is None:
        return {"Content-Length": str(length)}
    return {
        "Content-Range": f"bytes {part.start}-{part.end - 1}/{length}",
        "Content-Length": str(part.length),
    }


def has_tag(etag: str, if_none_match: str | None) -> bool:
    """Whether ``If-None-Match`` names a tag, given with its quotes."""
    tags = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return etag in tags or tags == ["*"]
