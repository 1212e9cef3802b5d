"""File names in and out: what a caller says a file is called, made harmless."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath
from urllib.parse import quote, unquote

from python_multipart.multipart import parse_options_header

from photoward.core.catalogue import FORMATS

MAX_LENGTH = 128

EXTENSIONS = {media: "jpg" if name == "jpeg" else name for name, media in FORMATS.items()}

_EXTENDED = re.compile(r";\s*filename\*\s*=\s*utf-8'[^']*'([^;\s]+)", re.IGNORECASE)


def clean(name: str) -> str | None:
    """The last part of a path without anything unprintable; None if nothing is left of it."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    printable = "".join(character for character in last if character.isprintable())
    return printable.strip(" .")[:MAX_LENGTH] or None


def of_disposition(header: str | None) -> str | None:
    """The file name in a request's ``Content-Disposition``, cleaned.

    ``filename*`` (RFC 8187, UTF-8 only) goes before ``filename``.
    """
    if not header:
        return None
    extended = _EXTENDED.search(header)
    if extended:
        return clean(unquote(extended[1], errors="replace"))
    _, options = parse_options_header(header)
    return clean(options.get(b"filename", b"").decode(errors="replace"))


def attachment(name: str | None, media_type: str) -> str:
    """``Content-Disposition`` of a protected file: the upload's name, marked, fitly ended."""
    extension = EXTENSIONS[media_type]
    stem = PurePosixPath(name or "photo").stem
    shown = quote(f"{stem}-protected.{extension}", safe="")
    return f"attachment; filename=\"protected.{extension}\"; filename*=UTF-8''{shown}"
