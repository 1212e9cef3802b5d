"""Where photos are taken from and brought to: folders and S3 buckets, and which version lies there.

A protected file in a bucket says of which version of the photo it was made; in a folder only its
age does.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

import obstore

from photoward.api.cli.folders import SUFFIX_OF, files
from photoward.core.errors import BadInput, Unavailable
from photoward.core.files import write_whole
from photoward.core.imaging.sniff import INPUTS
from photoward.core.storage.adapter import translated
from photoward.core.storage.places import open_bucket

if TYPE_CHECKING:
    from obstore.store import S3Store

MADE_FROM = "photoward-source"
"""Metadata of a protected object: the version of the photo."""

TYPES = {suffix: INPUTS[kind] for kind, suffix in SUFFIX_OF.items()} | {".jpeg": INPUTS["jpeg"]}


@dataclass(frozen=True)
class Mark:
    """What a listing tells of a file."""

    version: str
    """Another one when the file is replaced by another."""
    modified: float
    """Seconds since the epoch."""


class Place(Protocol):
    """Files by name; names are relative, with ``/``."""

    root: str
    """Its URL, with a ``/`` at the end."""
    name: str
    """Of the folder or prefix itself."""

    def listed(self) -> dict[str, Mark]:
        """Everything in it that is not hidden. Raises BadInput: there is no such place."""

    def read(self, name: str) -> bytes:
        """Raises Unavailable: it cannot be read."""

    def write(self, name: str, data: bytes, source: str) -> None:
        """Write a file whole, made of that version of a photo. Raises Unavailable."""

    def made_from(self, name: str) -> str | None:
        """What ``write`` was told, if the place remembers."""


def place(text: str) -> Place:
    """``s3://bucket/prefix``, or a folder's path."""
    url = urlsplit(text)
    if url.scheme == "s3" and url.hostname:
        return Bucket(url.netloc, url.path.strip("/"))
    if "://" in text:
        raise BadInput("invalid_option", f"{text} is neither a folder nor s3://bucket/prefix.")
    return Folder(Path(text))


class Folder:
    """Of this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.root = path.resolve().as_uri() + "/"
        self.name = path.resolve().name

    def listed(self) -> dict[str, Mark]:
        """See ``Place``."""
        if self._path.exists() and not self._path.is_dir():
            raise BadInput("invalid_option", f"{self._path} is not a folder.")
        return {path.relative_to(self._path).as_posix(): _mark(path) for path in files(self._path)}

    def read(self, name: str) -> bytes:
        """See ``Place``."""
        try:
            return (self._path / name).read_bytes()
        except OSError as error:
            raise Unavailable(f"{name} cannot be read: {error.strerror}.") from error

    def write(self, name: str, data: bytes, source: str) -> None:
        """See ``Place``."""
        del source
        write_whole(self._path / name, data)

    def made_from(self, name: str) -> str | None:
        """See ``Place``."""
        del name
        return None


def _mark(path: Path) -> Mark:
    stat = path.stat()
    return Mark(f"{stat.st_mtime_ns}-{stat.st_size}", stat.st_mtime)


class Bucket:
    """Of an S3 service."""

    def __init__(self, name: str, prefix: str) -> None:
        self.root = f"s3://{name}/{prefix}/" if prefix else f"s3://{name}/"
        self.name = (prefix or name).rpartition("/")[2]
        self._store: S3Store = open_bucket(name, prefix)

    def listed(self) -> dict[str, Mark]:
        """See ``Place``."""
        with translated():
            return {
                meta["path"]: Mark(str(meta["e_tag"]).strip('"'), meta["last_modified"].timestamp())
                for page in obstore.list(self._store) for meta in page
                if not meta["path"].rpartition("/")[2].startswith(".")
            }  # fmt: skip

    def read(self, name: str) -> bytes:
        """See ``Place``."""
        with translated():
            return obstore.get(self._store, name).bytes().to_bytes()

    def write(self, name: str, data: bytes, source: str) -> None:
        """See ``Place``."""
        kind = TYPES[PurePosixPath(name).suffix.lower()]
        attributes = {"Content-Type": kind, MADE_FROM: source}
        with translated():
            obstore.put(self._store, name, data, attributes=attributes, use_multipart=False)

    def made_from(self, name: str) -> str | None:
        """See ``Place``."""
        with translated():
            found = obstore.get(self._store, name, options={"head": True}).attributes
        return found.get(MADE_FROM)
