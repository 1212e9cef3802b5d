"""``Accept`` (RFC 9110): in which form a caller wants the files of a photo."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

ZIP, MULTIPART, FILE = "application/zip", "multipart/mixed", "image/*"
FORMS = (ZIP, MULTIPART, FILE)
"""All files as a zip, or as the parts of one body; the first file alone."""

_QUALITY = re.compile(r";\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)", re.IGNORECASE)


def preferred_form(headers: Iterable[str], default: str) -> str:
    """The one of ``FORMS`` that a caller likes best; ``default`` if any will do, or none.

    Args:
        headers: the values of ``Accept``.
        default: of ``FORMS``.
    """
    ranges = [part for header in headers for part in header.split(",")]
    for named in sorted(ranges, key=lambda part: -_quality(part)):
        kind = named.partition(";")[0].strip().lower()
        form = FILE if kind.startswith("image/") else default if kind == "*/*" else kind
        if form in FORMS and _quality(named):
            return form
    return default


def _quality(named: str) -> float:
    found = _QUALITY.search(named)
    return float(found[1]) if found else 1.0
