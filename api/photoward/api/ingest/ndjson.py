"""JSON from outside, read strictly: NDJSON line by line, a list in one piece, a single object."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections import Counter
from typing import Any, cast

from photoward.core.errors import BadInput

MAX_LINES = 10_000
MAX_LINE_BYTES = 1 << 14
"""Bytes of one line."""
MAX_BYTES = 1 << 24
MAX_LIST_BYTES = 1 << 21
"""Bytes of a list in one piece: as objects it takes many times as much memory."""

LONE_SURROGATE = "no text: it holds half of a surrogate pair"

Line = str | dict[str, Any] | BadInput
"""As it came, or why it cannot be read."""


class NdjsonReader:
    """Splits NDJSON into lines while it arrives."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._rest = b""
        self._size = 0

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes. Raises BadInput: too many bytes or lines."""
        self._size += len(chunk)
        if self._size > MAX_BYTES:
            raise BadInput("body_too_large", f"A manifest has at most {MAX_BYTES} bytes.")
        *whole, rest = (self._rest + chunk).split(b"\n")
        # One byte more than may be says as well that it is too long.
        self._lines += [line[: MAX_LINE_BYTES + 1] for line in whole]
        self._rest = rest[: MAX_LINE_BYTES + 1]
        require_line_count(len(self._lines) + bool(rest))

    def finish(self) -> list[Line]:
        """All lines, empty ones too: they count in line numbers."""
        lines = [*self._lines, *filter(None, [self._rest])]
        if lines:
            lines[0] = lines[0].removeprefix(BOM_UTF8)
        return [_text(line) for line in lines]


class ListReader:
    """Collects a JSON list while it arrives."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes. Raises BadInput: too many."""
        self._data += chunk
        if len(self._data) > MAX_LIST_BYTES:
            raise BadInput(
                "body_too_large",
                f"A list has at most {MAX_LIST_BYTES} bytes; send NDJSON, line by line.",
            )

    def finish(self) -> list[Line]:
        """The list's entries. Raises BadInput: it is not a list."""
        found = _loaded(self._data)
        if not isinstance(found, list):
            raise BadInput("malformed_request", "The body is not a JSON list.")
        return as_lines(found)


def as_lines(entries: list[Any]) -> list[Line]:
    """A list's entries as lines. Raises BadInput: too many."""
    require_line_count(len(entries))
    return [one if isinstance(one, dict | BadInput) else _no_object() for one in entries]


def require_line_count(count: int) -> None:
    """Raises BadInput: a manifest names more photos than a batch may have."""
    if count > MAX_LINES:
        raise BadInput("body_too_large", f"A manifest has at most {MAX_LINES} lines.")


def parse_object(line: Line | bytes) -> dict[str, Any]:
    """The object in a line, or in a body. Raises BadInput: it is not an object."""
    if isinstance(line, str | bytes):
        line = cast("Line", _loaded(line))
    if isinstance(line, BadInput):
        raise line
    if not isinstance(line, dict):
        raise _no_object()
    return line


def _loaded(data: str | bytes | bytearray) -> object:
    """What it says in JSON, which is UTF-8; None if it is none."""
    try:
        text = data if isinstance(data, str) else data.decode()
        return cast("object", json.loads(text, object_pairs_hook=_once))
    except (ValueError, RecursionError):
        return None


def _text(line: bytes) -> Line:
    if len(line) > MAX_LINE_BYTES:
        return BadInput("malformed_request", f"It has more than {MAX_LINE_BYTES} bytes.")
    try:
        return line.decode()
    except UnicodeDecodeError:
        return BadInput("malformed_request", "It is not UTF-8.")


def _is_text(text: str) -> bool:
    """JSON can write halves of surrogate pairs, which nothing else can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _no_object() -> BadInput:
    return BadInput("malformed_request", "It is not a JSON object.")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any] | BadInput:
    """An object, if all in it is text and none of its names comes twice.

    No reading of any other would be what was meant.
    """
    for name, value in pairs:
        if not _is_text(name):
            return BadInput("malformed_request", f"A name in it is {LONE_SURROGATE}.")
        if isinstance(value, BadInput):  # an object in it; those of a list are told one by one
            return value
        texts = value if isinstance(value, list) else [value]
        if not all(_is_text(text) for text in texts if isinstance(text, str)):
            return BadInput(
                "malformed_request", f"{name[:64]} is {LONE_SURROGATE}.", field=name[:64]
            )
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
    return BadInput("invalid_option", f"{twice[:64]} is named twice.", field=twice[:64])
