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
from photoward.api.cli.files.folders import entry_path, walk
from photoward.api.cli.files.output_record import Origin, OutputRecord
from photoward.core.errors import BadInput, Unavailable
from photoward.core.files import is_hidden, write_whole
from photoward.core.storage.adapter import translated
from photoward.core.storage.places import open_bucket

if TYPE_CHECKING:
    from collections.abc import Mapping

    from obstore.store import S3Store

SOURCE_VERSION, SOURCE_OPTIONS = "photoward-source", "photoward-made"
"""Metadata of a protected object: the version of the photo; then what else ``Origin`` has."""

ASKING = 16
"""Objects whose metadata are asked for at a time."""


Value = TypeVar("Value")


@dataclass(frozen=True)
class FileVersion:
    """What a listing tells of a file."""

    version: str
    """Another one when the file is replaced by another."""
    modified_ns: int
    """Nanoseconds since the epoch."""


@dataclass
class Listing:
    """What lies in a place."""

    files: dict[str, FileVersion] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    """What could not be looked at, and why."""

    def without(self, folder: str) -> Listing:
        """The same without what lies in a folder, which ends in ``/``."""
        return Listing(_without(folder, self.files), _without(folder, self.skipped))


def _without(folder: str, part: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in part.items() if not f"{name}/".startswith(folder)}


class Location(Protocol):
    """Files by name; names are relative, with ``/``."""

    root: str
    """Its URL, with a ``/`` at the end."""
    name: str
    """Of the folder or prefix itself."""

    def list_files(self) -> Listing:
        """Everything in it that is not hidden. Raises BadInput: there is no such place."""

    def read(self, name: str) -> bytes:
        """Raises Unavailable: it cannot be read."""

    def name_problem(self, name: str) -> str | None:
        """Why no file can be called so here; None: it can."""

    def write(
        self, name: str, data: bytes, origin: Origin, media_type: str, modified_ns: int
    ) -> None:
        """Write a file whole, and of what it was made; where it can be told, as old as its photo.

        Raises:
            Unavailable: it cannot be written.
        """

    def origins(self, files: Mapping[str, FileVersion]) -> dict[str, Origin]:
        """Of what those of the files were made of which the place remembers it."""

    def subfolder_of(self, other: Location) -> str | None:
        """The folder of another place that this is, with a ``/`` at its end; None: of none."""


def open_location(text: str) -> Location:
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
    def record(self) -> OutputRecord:
        """Of what its files were made."""
        return OutputRecord(self.path)

    def list_files(self) -> Listing:
        """See ``Location``."""
        if self.path.exists() and not self.path.is_dir():
            raise BadInput("invalid_option", f"{self.path} is not a folder.")
        found = Listing()
        for path, why in walk(self.path) if self.path.exists() else ():
            name = path.relative_to(self.path).as_posix()
            try:
                if why is None:
                    found.files[name] = file_version(path)
                else:
                    found.skipped[name] = why
            except OSError as error:
                found.skipped[name] = f"It cannot be read: {error.strerror}."
        return found

    def read(self, name: str) -> bytes:
        """See ``Location``."""
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise Unavailable(f"{name} cannot be read: {error.strerror}.") from error

    def name_problem(self, name: str) -> str | None:
        """See ``Location``."""
        if "\0" in name or {"", ".", ".."} & set(name.split("/")):
            return f"No file of {self.path} can be called so."
        try:
            if (self.path / name).is_dir():
                return f"{self.path / name} is a folder."
        except OSError as error:
            return f"{self.path / name} cannot be written: {error.strerror}."
        return None

    def entry_path(self, name: str) -> Path:
        """Where a file of that name would lie, whatever links lead there."""
        return entry_path(self.path / name)

    def write(
        self, name: str, data: bytes, origin: Origin, media_type: str, modified_ns: int
    ) -> None:
        """See ``Location``."""
        del media_type
        write_whole(self.path / name, data, modified_ns)
        self.record.note(name, origin)

    def origins(self, files: Mapping[str, FileVersion]) -> dict[str, Origin]:
        """See ``Location``."""
        return {name: made for name in files if (made := self.record.of(name))}

    def subfolder_of(self, other: Location) -> str | None:
        """See ``Location``."""
        if not isinstance(other, Folder) or not self.root.startswith(other.root):
            return None
        return f"{self.path.resolve().relative_to(other.path.resolve()).as_posix()}/"


def file_version(path: Path) -> FileVersion:
    """What a folder tells of a file. Raises OSError."""
    stat = path.stat()
    return FileVersion(f"{stat.st_mtime_ns}-{stat.st_size}", stat.st_mtime_ns)


class Bucket:
    """Of an S3 service."""

    def __init__(self, name: str, prefix: str) -> None:
        self.root = f"s3://{name}/{prefix}/" if prefix else f"s3://{name}/"
        self.name = (prefix or name).rpartition("/")[2]
        self._store: S3Store = open_bucket(name, prefix, endpoint=settings_from().s3_endpoint_url)
        self._made: dict[tuple[str, str], Origin | None] = {}
        """By name and version: what was asked once."""

    def list_files(self) -> Listing:
        """See ``Location``."""
        with translated():
            return Listing(
                {
                    meta["path"]: FileVersion(
                        str(meta["e_tag"]).strip('"'), int(meta["last_modified"].timestamp() * 1e9)
                    )
                    for page in obstore.list(self._store)
                    for meta in page
                    if not any(map(is_hidden, meta["path"].split("/")))
                }
            )

    def read(self, name: str) -> bytes:
        """See ``Location``."""
        with translated():
            return obstore.get(self._store, name).bytes().to_bytes()

    def name_problem(self, name: str) -> str | None:
        """See ``Location``."""
        try:
            name.encode()
        except UnicodeEncodeError:
            return "Its name is not UTF-8: no object can be called so."
        return None

    def write(
        self, name: str, data: bytes, origin: Origin, media_type: str, modified_ns: int
    ) -> None:
        """See ``Location``."""
        del modified_ns
        attributes = {
            "Content-Type": media_type,
            SOURCE_VERSION: origin.version,
            SOURCE_OPTIONS: f"{origin.photo}-{origin.recipe}-{origin.label}",
        }
        with translated():
            obstore.put(self._store, name, data, attributes=attributes, use_multipart=False)

    def origins(self, files: Mapping[str, FileVersion]) -> dict[str, Origin]:
        """See ``Location``."""
        new = [
            (name, mark.version)
            for name, mark in files.items()
            if (name, mark.version) not in self._made
        ]
        with ThreadPoolExecutor(ASKING) as threads:
            self._made.update(zip(new, threads.map(self._ask, new), strict=True))
        every = {name: self._made[name, mark.version] for name, mark in files.items()}
        return {name: made for name, made in every.items() if made}

    def subfolder_of(self, other: Location) -> str | None:
        """See ``Location``."""
        return self.root.removeprefix(other.root) if self.root.startswith(other.root) else None

    def _ask(self, file: tuple[str, str]) -> Origin | None:
        with translated():
            try:
                told = obstore.get(self._store, file[0], options={"head": True}).attributes
            except FileNotFoundError:  # gone since it was listed
                return None
        if SOURCE_VERSION not in told:
            return None
        return Origin(str(told[SOURCE_VERSION]), *str(told.get(SOURCE_OPTIONS, "")).split("-", 2))
