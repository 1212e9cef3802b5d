"""multipart/form-data, parsed while it arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from photoward.api.ingest import filenames
from photoward.core.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from photoward.api.ingest.spool import Spool

FILE = "file"
"""Name of the part with the photo; every other part is an option."""

MAX_FIELD_BYTES = 1 << 16


class Fields(Protocol):
    """Takes the fields of a form."""

    def add(self, name: str, text: str) -> None:
        """Take one. Raises BadInput."""
        ...


class NoFields:
    """The fields of a form that has none."""

    def add(self, name: str, text: str) -> None:  # noqa: ARG002  # whatever it says
        """Raises BadInput."""
        raise BadInput("invalid_option", f"The form has the part {FILE} alone.", field=name[:64])


class FormReader:
    """Reads one form: fields into ``options``, the file into a spool made by ``new_spool``.

    Args:
        boundary: as the request's Content-Type has it.
        options: takes the fields.
        new_spool: called with the file part's declared type and cleaned name.
    """

    def __init__(
        self,
        boundary: bytes,
        options: Fields,
        new_spool: Callable[[str | None, str | None], Spool],
    ) -> None:
        self._options = options
        self._new_spool = new_spool
        self._spool: Spool | None = None
        self._ended = False
        self._headers: dict[bytes, bytes] = {}
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._field = ""
        self._value = bytearray()
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": self._header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_part_data": self._part_data,
                    "on_part_end": self._end_part,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise BadInput("malformed_request", f"The boundary is not valid: {error}.") from error

    def feed(self, chunk: bytes) -> None:
        """Parse the next bytes. Raises BadInput as soon as something is wrong."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise BadInput("malformed_request", f"The form cannot be parsed: {error}.") from error

    def finish(self) -> Spool:
        """The spool with the photo. Raises BadInput: the form or its file is not complete."""
        if not self._ended:
            raise BadInput("malformed_request", "The form ends before its last boundary.")
        if self._spool is None:
            raise BadInput("malformed_request", f"No part of the form is named {FILE}.")
        return self._spool

    def _begin_part(self) -> None:
        self._headers = {}
        self._value = bytearray()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        self._headers[bytes(self._header_name).lower()] = bytes(self._header_value)
        self._header_name.clear()
        self._header_value.clear()

    def _end_headers(self) -> None:
        _, named = parse_options_header(self._headers.get(b"content-disposition"))
        self._field = _text(named.get(b"name", b""), "A part's name")
        if self._field != FILE:
            if b"filename" in named:
                raise BadInput(
                    "invalid_option",
                    f"The photo's part must be named {FILE}.",
                    field=self._field[:64],
                )
            return
        if self._spool is not None:
            raise BadInput("invalid_option", "One request takes one photo.", field=FILE)
        name = filenames.clean(named.get(b"filename", b"").decode(errors="replace"))
        declared = self._headers.get(b"content-type")
        self._spool = self._new_spool(declared.decode("latin-1") if declared else None, name)

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._field == FILE and self._spool is not None:
            self._spool.write(data[start:end])
            return
        self._value += data[start:end]
        if len(self._value) > MAX_FIELD_BYTES:
            name = self._field[:64]
            raise BadInput("invalid_option", f"{name} is too long.", field=name)

    def _end_part(self) -> None:
        if self._field != FILE:
            self._options.add(self._field, _text(bytes(self._value), self._field[:64]))

    def _end(self) -> None:
        self._ended = True


def _text(raw: bytes, what: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise BadInput("malformed_request", f"{what} is not UTF-8.") from error
