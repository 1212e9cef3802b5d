"""The headers of tus 1.0.0 (https://tus.io/protocols/resumable-upload)."""

from __future__ import annotations

import hashlib
from email.utils import format_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Header
from fastapi.routing import APIRoute
from starlette.datastructures import MutableHeaders

from photoward.api.ingest.upload_content import decode_base64
from photoward.core.errors import BadInput

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from photoward.core.uploads import Upload

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,termination,expiration,checksum"
PART_TYPE = "application/offset+octet-stream"
"""The media type of a part."""

HASHES = ("sha1", "sha256")
"""tus demands the first, against transmission errors, not against forgery."""


class TusRoute(APIRoute):
    """Adds ``Tus-Resumable`` to every answer, refusals too."""

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


async def tus_version(
    version: Annotated[
        str | None,
        Header(
            alias="Tus-Resumable",
            description=f"Always {VERSION}.",
            examples=[VERSION],
            json_schema_extra={"enum": [VERSION]},
        ),
    ] = None,
) -> str | None:
    """The version of tus in the request; None: the request is not of tus.

    Raises:
        BadInput: ``tus_version``: it is another one.
    """
    if version not in {None, VERSION}:
        raise BadInput("tus_version", f"It is {VERSION}.")
    return version


async def require_tus(version: Annotated[str | None, Depends(tus_version)]) -> None:
    """Raises BadInput: ``tus_version``: the request is not of tus, or of another version."""
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
        self._expected = b""
        self._hashed = None
        if header is None:
            return
        name, _, text = header.partition(" ")
        if name not in HASHES:
            known = ", ".join(HASHES)
            raise BadInput("malformed_request", f"Upload-Checksum takes {known} with base64.")
        self._expected = decode_base64(text.strip(), "Upload-Checksum")
        self._hashed = hashlib.new(name, usedforsecurity=False)

    @property
    def is_given(self) -> bool:
        """Whether the request has a checksum."""
        return self._hashed is not None

    def feed(self, chunk: bytes) -> None:
        """The next bytes of the part."""
        if self._hashed is not None:
            self._hashed.update(chunk)

    def check(self) -> None:
        """Compare, after the last. Raises BadInput: ``checksum_differs``."""
        if self._hashed is not None and self._hashed.digest() != self._expected:
            raise BadInput("checksum_differs", f"Its {self._hashed.name} differs.")


def offset_headers(upload: Upload) -> dict[str, str]:
    """How many bytes of an upload have come, and when it expires."""
    return {
        "Upload-Offset": str(upload.received),
        "Upload-Expires": format_datetime(upload.expires_at, usegmt=True),
        "Cache-Control": "no-store",
    }
