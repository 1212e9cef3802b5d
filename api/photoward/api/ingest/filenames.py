"""File names that callers give, made harmless."""

from __future__ import annotations

import re
import unicodedata

MAX_LENGTH, MAX_PATH = 128, 512


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
