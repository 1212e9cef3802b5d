"""The object store: originals, outputs and parts of uploads by key, on one of obstore's backends.

Nothing half-written is ever readable. Errors of the backend leave as ``Unavailable``. All calls
block; the HTTP face calls them in threads.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError

from photoward.core.errors import NotFound, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta
    from pathlib import Path
    from typing import BinaryIO

    from obstore import GetOptions, GetResult
    from obstore.store import ObjectStore as Backend
    from obstore.store import S3Store

_SEGMENT = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"
_KEY = re.compile(rf"{_SEGMENT}(/{_SEGMENT})*")
_FULL = re.compile(
    r"StorageFull|QuotaExceeded|InsufficientStorage|[Nn]o space left|os error (28|122)\b"
)

SOURCE_CHUNK = 1 << 18

_HALF = re.compile(r"#\d+$")
"""The end of a file's name while obstore writes it; no key holds a ``#``."""


@dataclass(frozen=True)
class StoredObject:
    """An object as a listing shows it."""

    key: str
    age_s: float
    """Seconds since it was written."""
    size: int
    """Bytes."""


class ObjectStore:
    """Objects on one of obstore's backends.

    Keys are segments of ``A-Za-z0-9._-`` that do not begin with a dot, joined by ``/``; any other
    key is a caller's mistake and raises ValueError. No key may be the folder of another.

    Args:
        backend: where the objects go.
        root: the backend's folder, if it is one; then every write is flushed to the disk.
        public: the same bucket under an address for everybody; signs URLs, and is never asked.
    """

    def __init__(
        self, backend: Backend, root: Path | None = None, public: S3Store | None = None
    ) -> None:
        self._backend = backend
        self._root = root
        self._public = public

    def put(self, key: str, data: bytes | BinaryIO, *, create_only: bool = False) -> bool:
        """Write an object; False: ``create_only`` and it exists (it is left as it was).

        A stream is copied to a folder in chunks; for any other backend it is read into memory.

        Raises:
            Unavailable: code ``storage_full`` when there is no room.
        """
        with translated():
            try:
                obstore.put(
                    self._backend,
                    _checked(key),
                    data,
                    mode="create" if create_only else "overwrite",
                    # One request an object, so that no unfinished multipart upload can stay.
                    use_multipart=None if self._root else False,
                )
            except AlreadyExistsError:
                return False
            if self._root:
                _flush(self._root / key)
        return True

    def get(self, key: str) -> bytes:
        """The whole object. Raises NotFound."""
        with translated():
            return self._open(key).bytes().to_bytes()

    def stream(
        self, key: str, chunk: int = 1 << 18, *, start: int = 0, end: int | None = None
    ) -> Iterator[bytes]:
        """The object in chunks. Raises NotFound at once, not at the first chunk.

        Args:
            key: of the object.
            chunk: most bytes of a chunk.
            start: first byte.
            end: byte after the last, ``start < end ≤`` length; None: to the end.
        """
        with translated():
            return _chunks(self._open(key, byte_range(start, end) or None), chunk)

    def delete(self, key: str) -> None:
        """Delete an object; a missing one is no error."""
        with translated():
            try:
                obstore.delete(self._backend, _checked(key))
            except FileNotFoundError:
                return

    def keys(self, prefix: str = "") -> Iterator[tuple[str, float]]:
        """All keys under a prefix of whole segments (``outputs/tenant``), with ages in seconds."""
        return ((found.key, found.age_s) for found in self.objects(prefix))

    def objects(self, prefix: str = "") -> Iterator[StoredObject]:
        """All objects under a prefix of whole segments (``outputs/tenant``)."""
        folder = _checked(prefix.rstrip("/")) if prefix else None
        with translated():
            for page in obstore.list(self._backend, prefix=folder):
                now = datetime.now(UTC)
                for meta in page:
                    age = now - meta["last_modified"]
                    yield StoredObject(meta["path"], max(0.0, age.total_seconds()), meta["size"])

    def upload_url(self, key: str, lifetime: timedelta) -> str | None:
        """A URL to which a client without credentials may PUT that object; None: there is none."""
        if self._public is None:
            return None
        with translated():
            return obstore.sign(self._public, "PUT", _checked(key), lifetime)

    def discard_unfinished(self, older_than_s: float) -> int:
        """Delete the files that killed writers left unfinished, invisible to readers; how many.

        Only a folder can have any: a bucket gets one request per object.
        """
        removed = 0
        with translated():
            for path in self._root.rglob("*#*") if self._root else ():
                with suppress(FileNotFoundError):  # finished, or discarded by somebody else
                    if _HALF.search(path.name) and _age_s(path) >= older_than_s:
                        path.unlink()
                        removed += 1
        return removed

    def check(self) -> None:
        """Raises Unavailable when the store does not answer."""
        with translated():
            if self._root and not os.access(self._root, os.R_OK | os.W_OK | os.X_OK):
                raise Unavailable("The store's folder cannot be written.")
            next(iter(obstore.list(self._backend, prefix="health", chunk_size=1)), None)

    def _open(self, key: str, options: GetOptions | None = None) -> GetResult:
        try:
            return obstore.get(self._backend, _checked(key), options=options)
        except FileNotFoundError:
            self.check()  # without its folder or bucket nothing is found, and nobody is to blame
            raise NotFound from None


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key[:64]!r} is no key.")
    return key


def _chunks(opened: GetResult, chunk: int) -> Iterator[bytes]:
    with translated():
        for buffer in opened.stream(min_chunk_size=chunk):
            view = memoryview(buffer)  # a backend in memory gives all at once
            for start in range(0, len(view), chunk):
                yield bytes(view[start : start + chunk])


def _age_s(path: Path) -> float:
    return time.time() - path.stat().st_mtime


def _flush(path: Path) -> None:
    """Have a file and its name survive a power cut: the ledger is about to promise it."""
    for place in (path, path.parent):
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def byte_range(start: int, end: int | None) -> GetOptions:
    """Obstore's options for the bytes from ``start`` and before ``end``."""
    if end is not None:
        return {"range": (start, end)}
    return {"range": {"offset": start}} if start else {}


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the backend says into ``Unavailable`` (``storage_full`` when there is no room)."""
    try:
        yield
    except (BaseError, OSError) as error:
        if _FULL.search(str(error)):
            raise Unavailable("The object store is full.", code="storage_full") from error
        raise Unavailable(f"The object store does not respond ({type(error).__name__}).") from error


@contextmanager
def reached(place: str) -> Iterator[None]:
    """The same of others' bucket, which errors call ``place``: ``source_unreachable``."""
    try:
        with translated():
            yield
    except Unavailable as error:
        detail = error.detail.replace("object store", place)
        raise Unavailable(detail, "source_unreachable") from error


def require_bucket(bucket: Backend) -> None:
    """Raises obstore's error if it does not exist; else an object that is missing is missing."""
    next(iter(obstore.list(bucket, chunk_size=1)), None)


def source_chunks(opened: GetResult, place: str) -> Iterator[bytes]:
    """The bytes of an object in a bucket that others write; raises as ``reached``."""
    with reached(place):
        for buffer in opened.stream(min_chunk_size=SOURCE_CHUNK):
            yield bytes(buffer)
