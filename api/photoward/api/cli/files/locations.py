"""Where photos are taken from and brought to: folders and S3 buckets, and which version lies there.

A place remembers of what a protected file was made: a folder in its record, a bucket in the
object's metadata.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import urlsplit

import obstore

from photoward.api.cli.configuration import settings_from
from photoward.api.cli.files.folders import spot, walk
from photoward.api.cli.files.output_record import Made, Record
from photoward.core.errors import BadInput, Unavailable
from photoward.core.files import is_hidden, write_whole
from photoward.core.storage.adapter import translated
from photoward.core.storage.places import open_bucket

if TYPE_CHECKING:
    from collections.abc import Mapping

    from obstore.store import S3Store

MADE_FROM, MADE_AS = "photoward-source", "photoward-made"
"""Metadata of a protected object: the version of the photo; then what else ``Made`` has."""

ASKING = 16
"""Objects whose metadata are asked for at a time."""


Value = TypeVar("Value")


@dataclass(frozen=True)
class Mark:
    """What a listing tells of a file."""

    version: str
    """Another one when the file is replaced by another."""
    modified_ns: int
    """Nanoseconds since the epoch."""


@dataclass
class Listing:
    """What lies in a place."""

    files: dict[str, Mark] = field(default_factory=dict)
    passed: dict[str, str] = field(default_factory=dict)
    """What could not be looked at, and why."""

    def without(self, folder: str) -> Listing:
        """The same without what lies in a folder, which ends in ``/``."""
        return Listing(_without(folder, self.files), _without(folder, self.passed))


def _without(folder: str, part: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in part.items() if not f"{name}/".startswith(folder)}


class Place(Protocol):
    """Files by name; names are relative, with ``/``."""

    root: str
    """Its URL, with a ``/`` at the end."""
    name: str
    """Of the folder or prefix itself."""

    def listed(self) -> Listing:
        """Everything in it that is not hidden. Raises BadInput: there is no such place."""

    def read(self, name: str) -> bytes:
        """Raises Unavailable: it cannot be read."""

    def refuses(self, name: str) -> str | None:
        """Why no file can be called so here; None: it can."""

    def write(self, name: str, data: bytes, made: Made, media_type: str, modified_ns: int) -> None:
        """Write a file whole, and of what it was made; where it can be told, as old as its photo.

        Raises:
            Unavailable: it cannot be written.
        """

    def made(self, files: Mapping[str, Mark]) -> dict[str, Made]:
        """Of what those of the files were made of which the place remembers it."""

    def within(self, other: Place) -> str | None:
        """The folder of another place that this is, with a ``/`` at its end; None: of none."""


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
        self.path = path
        self.root = path.resolve().as_uri() + "/"
        self.name = path.resolve().name

    @cached_property
    def record(self) -> Record:
        """Of what its files were made."""
        return Record(self.path)

    def listed(self) -> Listing:
        """See ``Place``."""
        if self.path.exists() and not self.path.is_dir():
            raise BadInput("invalid_option", f"{self.path} is not a folder.")
        found = Listing()
        for path, why in walk(self.path) if self.path.exists() else ():
            name = path.relative_to(self.path).as_posix()
            try:
                if why is None:
                    found.files[name] = file_mark(path)
                else:
                    found.passed[name] = why
            except OSError as error:
                found.passed[name] = f"It cannot be read: {error.strerror}."
        return found

    def read(self, name: str) -> bytes:
        """See ``Place``."""
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise Unavailable(f"{name} cannot be read: {error.strerror}.") from error

    def refuses(self, name: str) -> str | None:
        """See ``Place``."""
        if "\0" in name or {"", ".", ".."} & set(name.split("/")):
            return f"No file of {self.path} can be called so."
        try:
            if (self.path / name).is_dir():
                return f"{self.path / name} is a folder."
        except OSError as error:
            return f"{self.path / name} cannot be written: {error.strerror}."
        return None

    def spot(self, name: str) -> Path:
        """Where a file of that name would lie, whatever links lead there."""
        return spot(self.path / name)

    def write(self, name: str, data: bytes, made: Made, media_type: str, modified_ns: int) -> None:
        """See ``Place``."""
        del media_type
        write_whole(self.path / name, data, modified_ns)
        self.record.note(name, made)

    def made(self, files: Mapping[str, Mark]) -> dict[str, Made]:
        """See ``Place``."""
        return {name: made for name in files if (made := self.record.of(name))}

    def within(self, other: Place) -> str | None:
        """See ``Place``."""
        if not isinstance(other, Folder) or not self.root.startswith(other.root):
            return None
        return f"{self.path.resolve().relative_to(other.path.resolve()).as_posix()}/"


def file_mark(path: Path) -> Mark:
    """What a folder tells of a file. Raises OSError."""
    stat = path.stat()
    return Mark(f"{stat.st_mtime_ns}-{stat.st_size}", stat.st_mtime_ns)


class Bucket:
    """Of an S3 service."""

    def __init__(self, name: str, prefix: str) -> None:
        self.root = f"s3://{name}/{prefix}/" if prefix else f"s3://{name}/"
        self.name = (prefix or name).rpartition("/")[2]
        self._store: S3Store = open_bucket(name, prefix, endpoint=settings_from().s3_endpoint_url)
        self._made: dict[tuple[str, str], Made | None] = {}
        """By name and version: what was asked once."""

    def listed(self) -> Listing:
        """See ``Place``."""
        with translated():
            return Listing({
                meta["path"]: Mark(
                    str(meta["e_tag"]).strip('"'), int(meta["last_modified"].timestamp() * 1e9)
                )
                for page in obstore.list(self._store) for meta in page
                if not any(map(is_hidden, meta["path"].split("/")))
            })  # fmt: skip

    def read(self, name: str) -> bytes:
        """See ``Place``."""
        with translated():
            return obstore.get(self._store, name).bytes().to_bytes()

    def refuses(self, name: str) -> str | None:
        """See ``Place``."""
        try:
            name.encode()
        except UnicodeEncodeError:
            return "Its name is not UTF-8: no object can be called so."
        return None

    def write(self, name: str, data: bytes, made: Made, media_type: str, modified_ns: int) -> None:
        """See ``Place``."""
        del modified_ns
        attributes = {
            "Content-Type": media_type, MADE_FROM: made.version,
            MADE_AS: f"{made.photo}-{made.recipe}-{made.label}",
        }  # fmt: skip
        with translated():
            obstore.put(self._store, name, data, attributes=attributes, use_multipart=False)

    def made(self, files: Mapping[str, Mark]) -> dict[str, Made]:
        """See ``Place``."""
        new = [
            (name, mark.version) for name, mark in files.items()
            if (name, mark.version) not in self._made
        ]  # fmt: skip
        with ThreadPoolExecutor(ASKING) as threads:
            self._made.update(zip(new, threads.map(self._ask, new), strict=True))
        every = {name: self._made[name, mark.version] for name, mark in files.items()}
        return {name: made for name, made in every.items() if made}

    def within(self, other: Place) -> str | None:
        """See ``Place``."""
        return self.root.removeprefix(other.root) if self.root.startswith(other.root) else None

    def _ask(self, file: tuple[str, str]) -> Made | None:
        with translated():
            try:
                told = obstore.get(self._store, file[0], options={"head": True}).attributes
            except FileNotFoundError:  # gone since it was listed
                return None
        if MADE_FROM not in told:
            return None
        return Made(str(told[MADE_FROM]), *str(told.get(MADE_AS, "")).split("-", 2))
