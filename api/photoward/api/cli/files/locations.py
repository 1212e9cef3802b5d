"""Locations that photos are read from and outputs are written to: folders and S3 buckets.

A location remembers the origin of each output: a folder in its ``OutputRecord``, a bucket in the
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
from photoward.core.storage.factory import open_bucket
from photoward.core.storage.object_store import translated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from obstore.store import S3Store

SOURCE_VERSION, SOURCE_OPTIONS = "photoward-source", "photoward-made"
"""Metadata of an output in a bucket: the photo's version; the other fields of ``Origin``."""

METADATA_THREADS = 16
"""Objects whose metadata are read at a time."""


Value = TypeVar("Value")


@dataclass(frozen=True)
class FileVersion:
    """The version of a file, as a listing gives it."""

    version: str
    """Changes when the file is replaced."""
    modified_ns: int
    """Time of the last change, in nanoseconds since 1970."""


@dataclass
class Listing:
    """The files of a location, by name."""

    files: dict[str, FileVersion] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    """Name of a file that cannot be read → reason."""

    def without(self, folder: str) -> Listing:
        """The listing without the files of a folder, whose name ends in ``/``."""
        return Listing(_without(folder, self.files), _without(folder, self.skipped))


def _without(folder: str, part: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in part.items() if not f"{name}/".startswith(folder)}


class Location(Protocol):
    """A set of files by name; names are relative, with ``/``."""

    root: str
    """URL, with a final ``/``."""
    name: str
    """Name of the folder or prefix itself."""

    def list_files(self) -> Listing:
        """All files that are not hidden.

        Raises:
            BadInput: there is no such folder.
            Unavailable: the bucket cannot be read.
        """

    def read(self, name: str) -> bytes:
        """A file's bytes.

        Raises:
            Unavailable: it cannot be read.
        """

    def name_problem(self, name: str) -> str | None:
        """Why no file can have this name here; None: it can."""

    def write(
        self, name: str, data: bytes, origin: Origin, media_type: str, modified_ns: int
    ) -> None:
        """Write a file whole, with its origin and, in a folder, its photo's date.

        Raises:
            Unavailable: it cannot be written.
        """

    def origins(self, files: Mapping[str, FileVersion]) -> dict[str, Origin]:
        """The origins of those files whose origin is known."""

    def subfolder_of(self, other: Location) -> str | None:
        """The path of this location below another one, with a final ``/``; None: outside."""


def open_location(text: str) -> Location:
    """The location that ``s3://bucket/prefix`` or a path names.

    Raises:
        BadInput: it is neither.
    """
    url = urlsplit(text)
    if url.scheme == "s3" and url.hostname:
        return Bucket(url.netloc, url.path.strip("/"))
    if "://" in text:
        raise BadInput("invalid_option", f"{text} is neither a folder nor s3://bucket/prefix.")
    return Folder(Path(text))


class Folder:
    """A folder of this machine."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.root = path.resolve().as_uri() + "/"
        self.name = path.resolve().name

    @cached_property
    def record(self) -> OutputRecord:
        """The origins of its files."""
        return OutputRecord(self.path)

    def list_files(self) -> Listing:
        """All files that are not hidden.

        Raises:
            BadInput: there is no such folder.
            Unavailable: the bucket cannot be read.
        """
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
        """A file's bytes.

        Raises:
            Unavailable: it cannot be read.
        """
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise Unavailable(f"{name} cannot be read: {error.strerror}.") from error

    def name_problem(self, name: str) -> str | None:
        """Why no file can have this name here; None: it can."""
        if "\0" in name or {"", ".", ".."} & set(name.split("/")):
            return f"No file of {self.path} can be called so."
        try:
            if (self.path / name).is_dir():
                return f"{self.path / name} is a folder."
        except OSError as error:
            return f"{self.path / name} cannot be written: {error.strerror}."
        return None

    def entry_path(self, name: str) -> Path:
        """The path of a file of that name, links resolved in its folder's path."""
        return entry_path(self.path / name)

    def write(
        self, name: str, data: bytes, origin: Origin, media_type: str, modified_ns: int
    ) -> None:
        """Write a file whole, with its origin and, in a folder, its photo's date.

        Raises:
            Unavailable: it cannot be written.
        """
        del media_type
        write_whole(self.path / name, data, modified_ns)
        self.record.note(name, origin)

    def origins(self, files: Mapping[str, FileVersion]) -> dict[str, Origin]:
        """The origins of those files whose origin is known."""
        return {name: made for name in files if (made := self.record.of(name))}

    def subfolder_of(self, other: Location) -> str | None:
        """The path of this location below another one, with a final ``/``; None: outside."""
        if not isinstance(other, Folder) or not self.root.startswith(other.root):
            return None
        return f"{self.path.resolve().relative_to(other.path.resolve()).as_posix()}/"


def file_version(path: Path) -> FileVersion:
    """The version of a file of this machine. Raises OSError."""
    stat = path.stat()
    return FileVersion(f"{stat.st_mtime_ns}-{stat.st_size}", stat.st_mtime_ns)


class Bucket:
    """A bucket of an S3 service, or the keys below a prefix."""

    def __init__(self, name: str, prefix: str) -> None:
        self.root = f"s3://{name}/{prefix}/" if prefix else f"s3://{name}/"
        self.name = (prefix or name).rpartition("/")[2]
        self._store: S3Store = open_bucket(name, prefix, endpoint=settings_from().s3_endpoint_url)
        self._origins: dict[tuple[str, str], Origin | None] = {}
        """Name and version → origin, as read once."""

    def list_files(self) -> Listing:
        """All files that are not hidden.

        Raises:
            BadInput: there is no such folder.
            Unavailable: the bucket cannot be read.
        """
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
        """A file's bytes.

        Raises:
            Unavailable: it cannot be read.
        """
        with translated():
            return obstore.get(self._store, name).bytes().to_bytes()

    def name_problem(self, name: str) -> str | None:
        """Why no file can have this name here; None: it can."""
        try:
            name.encode()
        except UnicodeEncodeError:
            return "Its name is not UTF-8: no object can be called so."
        return None

    def write(
        self, name: str, data: bytes, origin: Origin, media_type: str, modified_ns: int
    ) -> None:
        """Write a file whole, with its origin and, in a folder, its photo's date.

        Raises:
            Unavailable: it cannot be written.
        """
        del modified_ns
        attributes = {
            "Content-Type": media_type,
            SOURCE_VERSION: origin.version,
            SOURCE_OPTIONS: f"{origin.photo}-{origin.recipe}-{origin.label}",
        }
        with translated():
            obstore.put(self._store, name, data, attributes=attributes, use_multipart=False)

    def origins(self, files: Mapping[str, FileVersion]) -> dict[str, Origin]:
        """The origins of those files whose origin is known."""
        new = [
            (name, mark.version)
            for name, mark in files.items()
            if (name, mark.version) not in self._origins
        ]
        with ThreadPoolExecutor(METADATA_THREADS) as threads:
            self._origins.update(zip(new, threads.map(self._read_origin, new), strict=True))
        every = {name: self._origins[name, mark.version] for name, mark in files.items()}
        return {name: made for name, made in every.items() if made}

    def subfolder_of(self, other: Location) -> str | None:
        """The path of this location below another one, with a final ``/``; None: outside."""
        return self.root.removeprefix(other.root) if self.root.startswith(other.root) else None

    def _read_origin(self, file: tuple[str, str]) -> Origin | None:
        with translated():
            try:
                stored = obstore.get(self._store, file[0], options={"head": True}).attributes
            except FileNotFoundError:  # gone since it was listed
                return None
        if SOURCE_VERSION not in stored:
            return None
        return Origin(
            str(stored[SOURCE_VERSION]), *str(stored.get(SOURCE_OPTIONS, "")).split("-", 2)
        )
