"""The photo in a request's body, raw or in a form: checked and spooled while it arrives."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from python_multipart.multipart import parse_options_header

from photoward.api.http.body.multipart import Fields, FormReader, NoFields
from photoward.api.http.body.reader import receive
from photoward.api.http.headers.content_disposition import parse_filename
from photoward.api.ingest.spool import CheckedImage, Spool
from photoward.core.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from fastapi import Request

    from photoward.api.ingest.options import OptionsBuilder
    from photoward.core.jobs import Source
    from photoward.core.settings import Settings

FORM_OVERHEAD = 1 << 17
"""Bytes that boundaries, part headers and fields may take beside the photo."""


async def read_image(
    request: Request, options: OptionsBuilder, settings: Settings, closing: ExitStack
) -> CheckedImage:
    """Receive one photo and its options.

    Everything is refused as early as it can be known: from the headers, then from the first bytes.

    Args:
        request: its body has not been read.
        options: hold those of the query; form fields are added.
        settings: give the limits.
        closing: closes the spool.

    Raises:
        BadInput: at the first byte that shows it.
        NotFound: there is no such batch as the form names.
        ClientDisconnect: the client left.
    """
    if not _is_form(request):
        options.build()  # no further option can come: refuse before the body
    spool = await _receive(request, options, settings, closing)
    await options.load_batch()
    return CheckedImage(spool.finish(), options.build(), spool.file())


async def read_file(
    request: Request, settings: Settings, closing: ExitStack
) -> tuple[Source, BinaryIO]:
    """Receive one photo without options: what is known of it, and its bytes. As ``read_image``."""
    spool = await _receive(request, NoFields(), settings, closing)
    return spool.finish(), spool.file()


async def _receive(
    request: Request, fields: Fields, settings: Settings, closing: ExitStack
) -> Spool:
    def new_spool(declared: str | None, filename: str | None) -> Spool:
        spool = Spool.for_service(settings, declared=declared, filename=filename)
        return closing.enter_context(spool)

    ceiling = settings.upload_max_bytes
    if _is_form(request):
        ceiling += FORM_OVERHEAD
        _, parameters = parse_options_header(request.headers.get("content-type"))
        feed, finish = _form_reader(parameters.get(b"boundary"), fields, new_spool)
    else:
        feed, finish = _raw_reader(request, new_spool)
    async for chunk in receive(request, ceiling, settings.upload_max_bytes):
        feed(chunk)
    return finish()


def _is_form(request: Request) -> bool:
    return parse_options_header(request.headers.get("content-type"))[0] == b"multipart/form-data"


def _form_reader(
    boundary: bytes | None,
    fields: Fields,
    new_spool: Callable[[str | None, str | None], Spool],
) -> tuple[Callable[[bytes], None], Callable[[], Spool]]:
    if not boundary:
        raise BadInput("malformed_request", "The Content-Type names no boundary.")
    form = FormReader(boundary, fields, new_spool)
    return form.feed, form.finish


def _raw_reader(
    request: Request, new_spool: Callable[[str | None, str | None], Spool]
) -> tuple[Callable[[bytes], None], Callable[[], Spool]]:
    filename = parse_filename(request.headers.get("content-disposition"))
    spool = new_spool(request.headers.get("content-type"), filename)
    return spool.write, lambda: spool
