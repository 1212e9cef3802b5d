"""Where a site's own media files lie: a folder, a bucket or a web server, read file by file.

Knows no photos and writes nothing. A name that leads out of its place finds nothing, and so does a
hidden one. All calls block.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, unquote, urlsplit

import obstore

from photoward.core.errors import BadInput, NotFound, Unavailable
from photoward.core.files import is_hidden
from photoward.core.safe_http import BlockedUrl, NoResponse, UnresolvedHost, check_url
from photoward.core.safe_http import open_response as get
from photoward.core.storage.factory import open_bucket
from photoward.core.storage.object_store import (
    SOURCE_CHUNK,
    byte_range,
    reached,
    require_bucket,
    source_chunks,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from obstore import GetResult

    from photoward.core.safe_http import Response
    from photoward.core.settings import Settings

PLACE = "inbox"
"""What errors call one."""
MAX_NAME = 1024
"""Bytes of a name in UTF-8, as S3 has it."""


class ChangedFile(Unavailable):
    """The file is no longer the version that was asked for."""

    def __init__(self) -> None:
        super().__init__("The file changes at the moment.")


@dataclass(frozen=True)
class OriginName:
    """A file's name, relative to its place, and the part of the query that belongs to it."""

    path: str
    query: str = ""

    @classmethod
    def parse(cls, path: str, query: str = "") -> OriginName:
        """A name that a request gave, its path decoded. Raises NotFound: no file is called so."""
        name = path.removeprefix("/")
        plain = name.isprintable() and "\\" not in name
        if not plain or len(name.encode(errors="replace")) > MAX_NAME:
            raise NotFound("No file has this name.")
        if any(not part or is_hidden(part) for part in name.split("/")):
            raise NotFound("No file has this name.")
        return cls(name, query)

    def __str__(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path


@dataclass(frozen=True)
class OriginFile:
    """One version of a file."""

    version: str
    """Changes when the file is replaced."""
    size: int | None
    """Bytes; None: its server does not say."""


class Origin(Protocol):
    """A place with files by name."""

    can_seek: bool
    """Whether a part of a file can be read without what is before it."""

    def find(self, name: OriginName) -> OriginFile:
        """A file as it is now.

        Raises:
            NotFound: there is none.
            Unavailable: ``source_unreachable``.
        """

    def opened(
        self, name: OriginName, version: str, start: int = 0, end: int | None = None
    ) -> AbstractContextManager[Iterator[bytes]]:
        """The bytes of one version, from ``start`` and before ``end``.

        Raises:
            ChangedFile: it is another version by now; also while it is read.
            NotFound: there is none.
            Unavailable: ``source_unreachable``, also while it is read.
        """

    def names(self) -> Iterator[str] | None:
        """The names of all files, hidden ones included; None: the place has no listing.

        Raises:
            Unavailable: ``source_unreachable``, also while they are listed.
        """


def open_origin(url: str, settings: Settings) -> Origin:
    """The place that ``file:///folder``, ``s3://bucket[/prefix]`` or ``https://host[/path]`` names.

    Raises:
        BadInput: it is none of these, or a URL that ``fetch_allow_private`` does not allow.
        Unavailable: the S3 settings cannot be used.
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in {"", "localhost"} and parts.path:
        return FolderOrigin(Path(unquote(parts.path)))
    if parts.scheme == "s3" and parts.netloc:
        return BucketOrigin(parts.netloc, parts.path.strip("/"), settings)
    if parts.scheme in {"http", "https"} and not parts.query and not parts.fragment:
        return HttpOrigin(url, settings)
    raise BadInput(
        "invalid_option",
        "The inbox must be file:///folder, s3://bucket/prefix or https://host/path.",
    )


class FolderOrigin:
    """A folder of this machine; a link in it that leads out of it finds nothing."""

    can_seek = True

    def __init__(self, root: Path) -> None:
        self._root = root

    def find(self, name: OriginName) -> OriginFile:
        """As ``Origin``."""
        with self._open(name) as descriptor:
            return _described(descriptor)

    @contextmanager
    def opened(
        self, name: OriginName, version: str, start: int = 0, end: int | None = None
    ) -> Iterator[Iterator[bytes]]:
        """As ``Origin``."""
        with self._open(name) as descriptor:
            _require(_described(descriptor).version, version)
            yield _read_descriptor(descriptor, version, start, end)

    def names(self) -> Iterator[str]:
        """As ``Origin``."""
        root = self._resolved()
        for folder, _, files in os.walk(root, onerror=_raise_unreachable):
            for file in files:
                yield (Path(folder) / file).relative_to(root).as_posix()

    @contextmanager
    def _open(self, name: OriginName) -> Iterator[int]:
        root = self._resolved()
        try:
            descriptor = os.open(root / name.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError) as error:
            raise NotFound("The inbox has no such file.") from error
        except OSError as error:
            if error.errno in {errno.ENAMETOOLONG, errno.ELOOP, errno.ENXIO}:
                raise NotFound("The inbox has no such file.") from error
            raise _unreachable(error) from error
        try:
            # Of what was opened, not of the name: a link may be changed between the two.
            real = Path(f"/proc/self/fd/{descriptor}").readlink()
            if not stat.S_ISREG(os.fstat(descriptor).st_mode) or not real.is_relative_to(root):
                raise NotFound("The inbox has no such file.")
            yield descriptor
        finally:
            os.close(descriptor)

    def _resolved(self) -> Path:
        try:
            return self._root.resolve(strict=True)
        except OSError as error:
            raise _unreachable(error) from error


class BucketOrigin:
    """A bucket of an S3 service, or the keys below a prefix."""

    can_seek = True

    def __init__(self, bucket: str, prefix: str, settings: Settings) -> None:
        secrets = settings.s3_access_key_id, settings.s3_secret_access_key
        self._bucket = open_bucket(bucket, prefix, *secrets, settings.s3_endpoint_url)

    def find(self, name: OriginName) -> OriginFile:
        """As ``Origin``."""
        with reached(PLACE):
            found = self._get(name, head=True)
            return OriginFile(str(found.meta["e_tag"]), found.meta["size"])

    @contextmanager
    def opened(
        self, name: OriginName, version: str, start: int = 0, end: int | None = None
    ) -> Iterator[Iterator[bytes]]:
        """As ``Origin``."""
        with reached(PLACE):
            found = self._get(name, start=start, end=end)
            _require(str(found.meta["e_tag"]), version)
        yield source_chunks(found, PLACE)

    def names(self) -> Iterator[str]:
        """As ``Origin``."""
        with reached(PLACE):
            for page in obstore.list(self._bucket):
                yield from (meta["path"] for meta in page)

    def _get(
        self, name: OriginName, *, head: bool = False, start: int = 0, end: int | None = None
    ) -> GetResult:
        options: obstore.GetOptions = {"head": head, **byte_range(start, end)}
        try:
            return obstore.get(self._bucket, name.path, options=options)
        except FileNotFoundError:
            require_bucket(self._bucket)
            raise NotFound("The inbox has no such file.") from None


class HttpOrigin:
    """A web server; what has neither ``ETag`` nor ``Last-Modified`` is compared by its bytes."""

    can_seek = False

    def __init__(self, url: str, settings: Settings) -> None:
        self._base = url.rstrip("/")
        self._private = settings.fetch_allow_private
        self._timeout_s = settings.fetch_timeout_seconds
        self._max_bytes = settings.upload_max_bytes
        try:
            check_url(self._base, private=self._private)
        except BlockedUrl as blocked:
            raise BadInput(
                "invalid_option",
                f"The inbox cannot be fetched: {blocked}. PHOTOWARD_FETCH_ALLOW_PRIVATE=1 allows "
                "http, and servers of a private network.",
            ) from None

    def find(self, name: OriginName) -> OriginFile:
        """As ``Origin``."""
        with self._answer(name) as answer:
            return OriginFile(self._version(answer), answer.length)

    @contextmanager
    def opened(
        self, name: OriginName, version: str, start: int = 0, end: int | None = None
    ) -> Iterator[Iterator[bytes]]:
        """As ``Origin``; ``start`` and ``end`` must be those of the whole file."""
        if start or end is not None:
            raise ValueError("A web server's file is read whole.")
        with self._answer(name) as answer:
            told = _validator(answer)
            if told:
                _require(told, version)
                yield _read_answer(answer)
                return
            data = self._body(answer)
            _require(_digest(data), version)
            yield iter((data,))

    def names(self) -> None:
        """As ``Origin``."""

    def _version(self, answer: Response) -> str:
        return _validator(answer) or _digest(self._body(answer))

    def _body(self, answer: Response) -> bytes:
        data = bytearray()
        for chunk in _read_answer(answer):
            data += chunk
            if len(data) > self._max_bytes:
                raise NotFound("The file is too large to be compared by its bytes.")
        return bytes(data)

    @contextmanager
    def _answer(self, name: OriginName) -> Iterator[Response]:
        query = f"?{name.query}" if name.query else ""
        url = f"{self._base}/{quote(name.path)}{query}"
        with _web_reached(), get(url, private=self._private, whole_s=self._timeout_s) as answer:
            if answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.FORBIDDEN}:
                raise NotFound("The inbox has no such file.")
            if answer.status != HTTPStatus.OK:
                raise Unavailable(f"The inbox answers {answer.status}.", "source_unreachable")
            yield answer


def _described(descriptor: int) -> OriginFile:
    found = os.fstat(descriptor)
    return OriginFile(f"{found.st_mtime_ns}-{found.st_size}-{found.st_ino}", found.st_size)


def _read_descriptor(descriptor: int, version: str, start: int, end: int | None) -> Iterator[bytes]:
    at = start
    while (chunk := _part(descriptor, at, end)) != b"":
        _require(_described(descriptor).version, version)
        yield chunk
        at += len(chunk)


def _part(descriptor: int, at: int, end: int | None) -> bytes:
    try:
        return os.pread(
            descriptor, SOURCE_CHUNK if end is None else min(SOURCE_CHUNK, end - at), at
        )
    except OSError as error:
        raise _unreachable(error) from error


def _read_answer(answer: Response) -> Iterator[bytes]:
    with _web_reached():
        yield from answer.chunks


def _validator(answer: Response) -> str:
    tag = answer.headers.get("etag", "")
    dated = answer.headers.get("last-modified")
    return tag or (f"{dated} {answer.length}" if dated else "")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _require(found: str, version: str) -> None:
    if found != version:
        raise ChangedFile


def _unreachable(error: OSError) -> Unavailable:
    return Unavailable(f"The inbox cannot be read: {error.strerror}.", "source_unreachable")


def _raise_unreachable(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):  # a folder that was removed meanwhile
        raise _unreachable(error) from error


@contextmanager
def _web_reached() -> Iterator[None]:
    try:
        yield
    except (BlockedUrl, UnresolvedHost, NoResponse) as error:
        raise Unavailable("The inbox does not respond.", "source_unreachable") from error
