"""Words of strangers as text that files, databases and terminals take."""

from __future__ import annotations

MOST = 4096
"""Characters."""


def printable(words: str | bytes) -> str:
    """One line without what cannot be shown; bytes are UTF-8 or, if they cannot be, Latin-1."""
    if isinstance(words, bytes):
        try:
            words = words.decode()
        except UnicodeDecodeError:
            words = words.decode("latin-1")
    return "".join(c for c in " ".join(words.split()) if c.isprintable())[:MOST]
