"""``Content-Disposition``: the file name of a request's body, and of a protected file."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath
from urllib.parse import quote, unquote

from python_multipart.multipart import parse_options_header

from photoward.api.delivery.filenames import EXTENSIONS
from photoward.api.ingest import filenames

_EXTENDED = re.compile(r";\s*filename\*\s*=\s*utf-8'[^']*'([^;\s]+)", re.IGNORECASE)
_UNSAFE = re.compile(r"[^A-Za-z0-9 ._()-]")


def parse_filename(header: str | None) -> str | None:
    """The file name in a request's ``Content-Disposition``, cleaned; None: there is none.

    ``filename*`` (RFC 8187, UTF-8 only) is preferred to ``filename``.
    """
    if not header:
        return None
    extended = _EXTENDED.search(header)
    if extended:
        return filenames.clean(unquote(extended[1], errors="replace"))
    _, options = parse_options_header(header)
    return filenames.clean(options.get(b"filename", b"").decode(errors="replace"))


def attachment(name: str | None, media_type: str, image_id: str = "", suffix: str = "") -> str:
    """The ``Content-Disposition`` header of a protected file.

    Args:
        name: of the original; None: the file is named after the image's id.
        media_type: of the file.
        image_id: of the image.
        suffix: tells it from the other files of the image.
    """
    ending = f"-protected{f'-{suffix}' if suffix else ''}.{EXTENSIONS[media_type]}"
    unnamed = f"photo-{image_id[:8]}".strip("-")
    stem = PurePosixPath(name).stem if name else unnamed
    # Clients like curl read only the plain name: it must tell photos apart, too.
    letters = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    plain = _UNSAFE.sub("_", letters).strip(" .") if re.search("[A-Za-z0-9]", letters) else unnamed
    shown = quote(f"{stem}{ending}", safe="")
    return f"attachment; filename=\"{plain}{ending}\"; filename*=UTF-8''{shown}"
