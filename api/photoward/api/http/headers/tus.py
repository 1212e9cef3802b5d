"""The words of tus 1.0.0 (https://tus.io/protocols/resumable-upload): headers in and out.

Knows neither ledger nor store.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from email.utils import format_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Header
from fastapi.routing import APIRoute
from starlette.datastructures import MutableHeaders

from photoward.core.errors import BadInput

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from photoward.core.uploads import Upload

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,termination,expiration,checksum"
PART = "application/offset+octet-stream"
"""The type of a part's body."""

MAX_METADATA = 4096
HASHES = ("sha1", "sha256")
"""The first because tus demands it: against broken lines, not against forgers."""

_PAIR = re.compile(r"([!-+\--~]+)(?: +([A-Za-z0-9+/]*={0,2}))?")


class Route(APIRoute):
    """Says in every answer, refusals too, which version is spoken."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See starlette."""

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Tus-Resumable"] = VERSION
                if message["status"] == HTTPStatus.PRECONDITION_FAILED:
                    headers["Tus-Version"] = VERSION
            await send(message)

        await super().handle(scope, receive, marked)


async def spoken(
    version: Annotated[
        str | None,
        Header(
            alias="Tus-Resumable", description=f"Always {VERSION}.", examples=[VERSION],
            json_schema_extra={"enum": [VERSION]},
        ),
    ] = None,
) -> str | None:  # fmt: skip
    """The version of tus in the request, None if it does not speak tus.

    Raises:
        BadInput: ``tus_version``: it is another one.
    """
    if version not in {None, VERSION}:
        raise BadInput("tus_version", f"It is {VERSION}.")
    return version


async def required(version: Annotated[str | None, Depends(spoken)]) -> None:
    """The same where nothing else is spoken."""
    if version is None:
        raise BadInput("tus_version", "The header Tus-Resumable is missing.")


class Checksum:
    """Compares a part with its ``Upload-Checksum``.

    Args:
        header: ``sha256 BASE64``; None: there is nothing to compare.

    Raises:
        BadInput: ``malformed_request``: it cannot be read, or the algorithm is not known.
    """

    def __init__(self, header: str | None) -> None:
        self._wanted = b""
        self._hashed = None
        if header is None:
            return
        name, _, text = header.partition(" ")
        if name not in HASHES:
            known = ", ".join(HASHES)
            raise BadInput("malformed_request", f"Upload-Checksum takes {known} with base64.")
        self._wanted = _decoded(text.strip(), "Upload-Checksum")
        self._hashed = hashlib.new(name, usedforsecurity=False)

    @property
    def wanted(self) -> bool:
        """Whether there is something to compare."""
        return self._hashed is not None

    def feed(self, chunk: bytes) -> None:
        """The next bytes of the part."""
        if self._hashed is not None:
            self._hashed.update(chunk)

    def check(self) -> None:
        """Compare, after the last. Raises BadInput: ``checksum_differs``."""
        if self._hashed is not None and self._hashed.digest() != self._wanted:
            raise BadInput("checksum_differs", f"Its {self._hashed.name} differs.")


def metadata(header: str) -> dict[str, str]:
    """What ``Upload-Metadata`` says: ``filename ZmlsZQ==,is_private``.

    Raises:
        BadInput: it is too long or not of that form.
    """
    if len(header) > MAX_METADATA:
        raise BadInput("invalid_option", "It is too long.", field="Upload-Metadata")
    found: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in header.split(","))):
        read = _PAIR.fullmatch(pair)
        if read is None or read[1] in found:
            detail = "It must be keys, each once, with base64 and commas."
            raise BadInput("invalid_option", detail, field="Upload-Metadata")
        found[read[1]] = _decoded(read[2] or "", "Upload-Metadata").decode(errors="replace")
    return found


def written(pairs: Mapping[str, str | None]) -> str:
    """The same the other way round, without what is None."""
    return ",".join(
        f"{name} {base64.b64encode(value.encode(errors='replace')).decode()}"
        for name, value in pairs.items() if value is not None
    )  # fmt: skip


def _decoded(text: str, header: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise BadInput("malformed_request", f"{header} is not base64.") from None


def standing(upload: Upload) -> dict[str, str]:
    """How far an upload is, and until when it is kept."""
    return {
        "Upload-Offset": str(upload.arrived),
        "Upload-Expires": format_datetime(upload.expires_at, usegmt=True),
        "Cache-Control": "no-store",
    }
