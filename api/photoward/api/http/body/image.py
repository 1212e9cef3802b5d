"""The photo in a request's body, raw or in a form: checked and spooled while it arrives."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from python_multipart.multipart import parse_options_header

from photoward.api.http.body.multipart import FormReader
from photoward.api.http.body.reader import receive
from photoward.api.http.headers.content_disposition import parse_filename
from photoward.api.ingest.spool import CheckedImage, Spool
from photoward.core.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import Request

    from photoward.api.ingest.options import OptionsBuilder
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

    def new_spool(declared: str | None, filename: str | None) -> Spool:
        spool = Spool.for_service(settings, declared=declared, filename=filename)
        return closing.enter_context(spool)

    ceiling = settings.upload_max_bytes
    content_type, parameters = parse_options_header(request.headers.get("content-type"))
    if content_type == b"multipart/form-data":
        ceiling += FORM_OVERHEAD
        feed, finish = _form_reader(parameters.get(b"boundary"), options, new_spool)
    else:
        feed, finish = _raw_reader(request, options, new_spool)
    async for chunk in receive(request, ceiling, settings.upload_max_bytes):
        feed(chunk)
    spool = finish()
    await options.load_batch()
    return CheckedImage(spool.finish(), options.build(), spool.file())


def _form_reader(
    boundary: bytes | None,
    options: OptionsBuilder,
    new_spool: Callable[[str | None, str | None], Spool],
) -> tuple[Callable[[bytes], None], Callable[[], Spool]]:
    if not boundary:
        raise BadInput("malformed_request", "The Content-Type names no boundary.")
    form = FormReader(boundary, options, new_spool)
    return form.feed, form.finish


def _raw_reader(
    request: Request,
    options: OptionsBuilder,
    new_spool: Callable[[str | None, str | None], Spool],
) -> tuple[Callable[[bytes], None], Callable[[], Spool]]:
    filename = parse_filename(request.headers.get("content-disposition"))
    spool = new_spool(request.headers.get("content-type"), filename)
    options.build()  # no further option can come: refuse before the body
    return spool.write, lambda: spool
