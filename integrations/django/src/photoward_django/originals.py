"""The private originals of a public storage, and what was published in place of each.

Beside each original lies ``NAME.photoward.json`` with the SHA-256 of the original and of the
protected file. How a public file stands follows from its bytes and these, not from a flag.
"""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from photoward_django import files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.core.files.storage import Storage

SUFFIX = ".photoward.json"


class State(enum.StrEnum):
    """How a public file stands."""

    PROTECTED = "protected"
    UNPROTECTED = "unprotected"
    CHANGED = "changed"
    """Something else has written it since."""


@dataclass(frozen=True)
class Entry:
    """What is known of one file: SHA-256 in hexadecimal."""

    original: str
    protected: str = ""
    """Empty: it has never been protected."""


class Originals:
    """Originals in a private storage, under the names of the public files."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def keep(self, name: str, data: bytes, protected: str = "") -> None:
        """Store an original, then its entry."""
        if self.read(name) != data:
            files.replace(self.storage, name, data)
        entry = {"original": files.digest(data), "protected": protected}
        files.replace(self.storage, name + SUFFIX, json.dumps(entry).encode())

    def entry(self, name: str) -> Entry | None:
        """What is known of a file; None: nothing."""
        found = files.read(self.storage, name + SUFFIX)
        return Entry(**json.loads(found)) if found else None

    def read(self, name: str) -> bytes | None:
        """An original as it came; None: there is none."""
        return files.read(self.storage, name)

    def delete(self, name: str) -> None:
        """Delete an original and its entry."""
        for one in (name + SUFFIX, name):
            if self.storage.exists(one):
                self.storage.delete(one)

    def names(self) -> Iterator[str]:
        """The names of all originals."""
        for name in files.walk(self.storage):
            if name.endswith(SUFFIX):
                yield name.removesuffix(SUFFIX)

    def state(self, name: str, public: bytes) -> State:
        """How a public file stands that has these bytes."""
        entry = self.entry(name)
        found = files.digest(public)
        if entry is None or found == entry.original:
            return State.UNPROTECTED
        return State.PROTECTED if found == entry.protected else State.CHANGED
