"""Words of strangers as text that files, databases and terminals take."""

from __future__ import annotations

MOST = 4096
"""Characters."""


def printable(words: str | bytes) -> str:
    """One line without what cannot be shown; bytes are UTF-8 or, if they cannot be, Latin-1."""
    text = words if isinstance(words, str) else _decoded(words)
    return "".join(c for c in " ".join(text.split()) if c.isprintable())[:MOST]


def _decoded(words: bytes) -> str:
    try:
        return words.decode()
    except UnicodeDecodeError:
        return words.decode("latin-1")
