"""``Prefer`` (RFC 7240): how long a caller would like to wait, and whether an image will do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_WAIT = re.compile(r'\s*wait\s*=\s*(?:"([0-9]{1,9})"|([0-9]{1,9}))\s*(?:;.*)?', re.IGNORECASE)
_RESPOND_ASYNC = re.compile(r"\s*respond-async\s*(?:;.*)?", re.IGNORECASE)
_NAMED_WAIT = re.compile(r"\s*wait\s*(?:[=;]|$)", re.IGNORECASE)
_PREFERENCE = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+')


def wants_async(headers: Iterable[str]) -> bool:
    """Whether one of the ``Prefer`` headers says ``respond-async``."""
    return any(
        _RESPOND_ASYNC.fullmatch(preference)
        for header in headers
        for preference in _PREFERENCE.findall(header)
    )


def parse_wait_s(headers: Iterable[str]) -> int | None:
    """The seconds of the first ``wait`` in the ``Prefer`` headers.

    None when there is none or it is malformed: the RFC has such preferences ignored, and a
    later one of the same name as well.
    """
    for header in headers:
        for preference in _PREFERENCE.findall(header):
            if _NAMED_WAIT.match(preference):
                match = _WAIT.fullmatch(preference)
                return int(match[1] or match[2]) if match else None
    return None
