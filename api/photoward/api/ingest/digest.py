"""``Content-Digest`` of what comes (RFC 9530): what was sent is what arrived."""

from __future__ import annotations

import base64
import hashlib
import re

from photoward.core.errors import BadInput

KNOWN = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}
_B64 = r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
_MEMBER = re.compile(rf"([a-z*][a-z0-9_.*-]*)=:({_B64}):")


class ContentDigest:
    """Compares a body with what its header says of it.

    Args:
        header: ``sha-256=:…:`` and others, with commas; algorithms that are not known are left
            alone, as the RFC wants it. None: there is nothing to compare.

    Raises:
        BadInput: ``malformed_request``: the header cannot be read.
    """

    def __init__(self, header: str | None) -> None:
        self._wanted = _read(header or "")
        self._hashes = {name: KNOWN[name]() for name in self._wanted}

    def feed(self, chunk: bytes) -> None:
        """The next bytes of the body."""
        for hashed in self._hashes.values():
            hashed.update(chunk)

    def check(self) -> None:
        """Compare, after the last. Raises BadInput: ``digest_mismatch``."""
        for name, hashed in self._hashes.items():
            if hashed.digest() != self._wanted[name]:
                raise BadInput(
                    "digest_mismatch", f"The {name} of the body differs from the announced one."
                )


def _read(header: str) -> dict[str, bytes]:
    found = {}
    for member in filter(None, (part.strip(" \t") for part in header.split(","))):
        read = _MEMBER.fullmatch(member)
        if read is None:
            detail = "Content-Digest is not of the form sha-256=:base64:."
            raise BadInput("malformed_request", detail)
        if read[1] in KNOWN:
            found[read[1]] = base64.b64decode(read[2])
    return found
