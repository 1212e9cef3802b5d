"""A part of an upload, received into a temporary file."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, BinaryIO, cast

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from photoward.api.http.body.reader import receive
from photoward.api.ingest.spool import IN_MEMORY, write_failed

if TYPE_CHECKING:
    from fastapi import Request

    from photoward.api.http.headers.tus import Checksum


def new_part_file() -> BinaryIO:
    """An empty file, in memory while it is small."""
    return cast("BinaryIO", tempfile.SpooledTemporaryFile(IN_MEMORY))


async def receive_part(request: Request, file: BinaryIO, limit: int, checksum: Checksum) -> None:
    """Write a body into ``file``.

    Args:
        request: its body has not been read.
        file: stands at its end afterwards.
        limit: most bytes.
        checksum: of the body.

    Raises:
        BadInput: it is longer, or not what was announced.
        Unavailable: there is no room for the file.
        ClientDisconnect, HTTPException: the body broke off or came too slowly; what came is in
            ``file``.
    """
    async for chunk in receive(request, limit, limit):
        checksum.feed(chunk)
        try:
            file.write(chunk)
        except OSError as error:
            raise write_failed(error, "upload") from error
    checksum.check()


async def receive_part_or_rest(
    request: Request, file: BinaryIO, limit: int, checksum: Checksum
) -> Exception | None:
    """As ``receive_part``; of a body that breaks off, what came may be kept.

    Returns:
        The error to raise when what came has been stored; None: the body is complete.

    Raises:
        BadInput, Unavailable: as ``receive_part``.
        ClientDisconnect, HTTPException: the body can only be trusted as a whole.
    """
    try:
        await receive_part(request, file, limit, checksum)
    except (ClientDisconnect, HTTPException) as error:
        if checksum.is_given or "content-digest" in request.headers:
            raise
        return error
    return None
