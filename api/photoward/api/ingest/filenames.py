"""File names in and out: what a caller says a file is called, made harmless."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath
from urllib.parse import quote, unquote

from python_multipart.multipart import parse_options_header

from photoward.core.catalogue import FORMATS

MAX_LENGTH, MAX_PATH = 128, 512

EXTENSIONS = {media: "jpg" if name == "jpeg" else name for name, media in FORMATS.items()}

_RESERVED_SIGNS = re.compile(r'[<>:"|?*]')
_RESERVED_WORDS = re.compile(r"con|prn|aux|nul|(com|lpt)[0-9¹²³]", re.IGNORECASE)
_UNSAFE = re.compile(r"[^A-Za-z0-9 ._()-]")
_EXTENDED = re.compile(r";\s*filename\*\s*=\s*utf-8'[^']*'([^;\s]+)", re.IGNORECASE)


def clean(name: str) -> str | None:
    """The last part of a path without anything unprintable; None if nothing is left of it."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    printable = "".join(character for character in last if character.isprintable())
    return printable.strip(" .")[:MAX_LENGTH] or None


def clean_path(name: str) -> str | None:
    """A path inside an archive as a path that leads nowhere else; None if nothing is left of it."""
    parts = [clean(part) for part in re.split(r"[/\\]", name) if part not in ("", ".", "..")]
    return "/".join(filter(None, parts))[-MAX_PATH:].lstrip("/") or None


def is_hidden(path: str) -> bool:
    """Whether a part of a path begins with a dot and is a name."""
    return any(part.startswith(".") and part.strip(".") for part in re.split(r"[/\\]", path))


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


def protected(path: str | None, media_type: str) -> str:
    """A protected file's name in an archive: folder and name as they came, fitly ended.

    Any system can unpack it: Windows keeps some signs and words for itself.
    """
    given = PurePosixPath(path or "photo")
    whole = given.with_name(f"{given.stem}.{EXTENSIONS[media_type]}")
    return "/".join(map(_portable, whole.parts))


def _portable(name: str) -> str:
    kept = _RESERVED_SIGNS.sub("_", name).rstrip(" .")
    return f"_{kept}" if _RESERVED_WORDS.fullmatch(kept.partition(".")[0].strip()) else kept


def attachment(name: str | None, media_type: str, item: str = "", side: int | None = None) -> str:
    """``Content-Disposition`` of a protected file: the upload's name, marked, fitly ended.

    Args:
        name: of the upload; None: the file is called by its item.
        media_type: of the file.
        item: its id.
        side: pixels of the longer side, where an item has several files.
    """
    ending = f"-protected{f'-{side}' if side else ''}.{EXTENSIONS[media_type]}"
    unnamed = f"photo-{item[:8]}".strip("-")
    stem = PurePosixPath(name).stem if name else unnamed
    # Clients like curl read only this one: it tells photos apart, too.
    letters = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    plain = _UNSAFE.sub("_", letters).strip(" .") if re.search("[A-Za-z0-9]", letters) else unnamed
    shown = quote(f"{stem}{ending}", safe="")
    return f"attachment; filename=\"{plain}{ending}\"; filename*=UTF-8''{shown}"
