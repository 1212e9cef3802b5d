"""The protected files of an inbox, each under a key that names its version and its bytes.

A key is ``FILE/VERSION.SHA256.FORMAT``: digest of the file's name, digest of its version in the
inbox and of the options, digest of the protected bytes. So one listing tells everything about a
file, an object never changes, and several processes may write the same one.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from photoward.core.imaging.sniff import INPUTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from photoward.core.storage import ObjectStore
    from photoward.core.storage.origins import OriginName

_KEY = re.compile(r"([0-9a-f]{32})/([0-9a-f]{32})\.([0-9a-f]{64})\.([a-z]+)")


@dataclass(frozen=True)
class ProtectedFile:
    """A protected file of the outbox."""

    key: str
    sha256: str
    media_type: str
    length: int
    """Bytes."""


class Outbox:
    """The protected files in a store that is the gateway's own.

    Args:
        store: holds nothing else.
        options: how files are protected; what was made with others is not found.
    """

    def __init__(self, store: ObjectStore, options: str) -> None:
        self._store = store
        self._options = options

    def find(self, name: OriginName, version: str) -> ProtectedFile | None:
        """The protected file of one version. Raises Unavailable."""
        wanted = self._version(version)
        return next((file for own, file in self._of(name) if own == wanted), None)

    def newest(self, name: OriginName) -> ProtectedFile | None:
        """The file of the version that was protected last. Raises Unavailable."""
        return next((file for _, file in self._of(name)), None)

    def put(self, name: OriginName, version: str, data: bytes, media_type: str) -> ProtectedFile:
        """Store a protected file, whole or not at all. Raises Unavailable."""
        sha256 = hashlib.sha256(data).hexdigest()
        ending = f"{self._version(version)}.{sha256}.{media_type.removeprefix('image/')}"
        key = f"{file_digest(str(name))}/{ending}"
        self._store.put(key, data, create_only=True)
        return ProtectedFile(key, sha256, media_type, len(data))

    def stream(self, file: ProtectedFile, start: int, end: int | None) -> Iterator[bytes]:
        """Bytes from ``start`` and before ``end``. Raises NotFound or Unavailable at once."""
        return self._store.stream(file.key, start=start, end=end)

    def discard(self, name: OriginName, keep: ProtectedFile | None = None) -> None:
        """Delete the protected files of all versions but one. Raises Unavailable."""
        for _, file in self._of(name):
            if keep is None or file.key != keep.key:
                self._store.delete(file.key)

    def discard_others(self, files: set[str], older_than_s: float) -> int:
        """Delete what belongs to no file of ``files`` (``file_digest``); how many. Unavailable."""
        gone = [
            one.key
            for one in self._store.objects()
            if (known := _KEY.fullmatch(one.key)) and known[1] not in files
            and one.age_s >= older_than_s
        ]  # fmt: skip
        for key in gone:
            self._store.delete(key)
        self._store.discard_unfinished(older_than_s)
        return len(gone)

    def check(self) -> None:
        """Raises Unavailable when the store does not answer."""
        self._store.check()

    def _version(self, version: str) -> str:
        return hashlib.sha256(f"{self._options}\0{version}".encode()).hexdigest()[:32]

    def _of(self, name: OriginName) -> Iterator[tuple[str, ProtectedFile]]:
        """The digest of the version of each protected file of a name, and it; newest first."""
        for one in sorted(self._store.objects(file_digest(str(name))), key=lambda one: one.age_s):
            known = _KEY.fullmatch(one.key)
            if known and known[4] in INPUTS:
                media_type = f"image/{known[4]}"
                yield known[2], ProtectedFile(one.key, known[3], media_type, one.size)


def file_digest(name: str) -> str:
    """The first part of the keys of a file's versions."""
    return hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:32]
