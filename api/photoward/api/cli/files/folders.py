"""Folders of photos: which files they contain, and the label of each."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from photoward.api.cli.files.names import is_picture
from photoward.core.errors import BadInput
from photoward.core.files import is_hidden

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class FoundPhotos:
    """The files of a folder and its subfolders."""

    photos: list[Path] = field(default_factory=list)
    """Files whose suffix is a photo's."""
    others: int = 0
    """Number of other files."""
    skipped: dict[Path, str] = field(default_factory=dict)
    """Path that could not be read, though it may be or contain a photo → reason."""


def walk(folder: Path, without: Path | None = None) -> Iterator[tuple[Path, str | None]]:
    """Each file below a folder, with the reason if it cannot be read.

    Hidden files and the folder ``without`` are left out.
    """
    waiting = [folder]
    while waiting:
        at = waiting.pop()
        try:
            with os.scandir(at) as entries:
                found = [one for one in entries if not is_hidden(one.name)]
        except OSError as error:
            yield at, f"It cannot be looked into: {error.strerror}."
            continue
        for entry in found:
            path = Path(entry.path)
            if not entry.is_dir(follow_symlinks=False):
                why = _obstacle(path)
                if why is None or path.is_symlink() or is_picture(path.name):
                    yield path, why
            elif without is None or path.resolve() != without:
                waiting.append(path)


def _obstacle(path: Path) -> str | None:
    """Why a path is not a readable file; None: it is one."""
    try:
        if path.is_dir():
            return "It is a link to a folder, which is not followed: name that folder."
        path.stat()
        return None if path.is_file() else "It is no file."
    except OSError as error:
        return f"It cannot be read: {error.strerror}."


def find_photos(source: Path, out: Path) -> FoundPhotos:
    """The photos of a file or folder, by their suffixes.

    Raises:
        BadInput: there is none, or ``out`` is the folder that contains them.
    """
    folder = source if source.is_dir() else source.parent
    if out.resolve() == folder.resolve():
        raise BadInput("invalid_option", f"{out} contains the originals: choose another folder.")
    if source.is_file():
        return FoundPhotos([source])
    if not source.is_dir():
        raise BadInput("invalid_option", f"{source} is neither a file nor a folder.")
    found = FoundPhotos()
    for path, why in walk(source, out.resolve()):  # what was made is not made again
        if why is not None:
            found.skipped[path] = why
        elif is_picture(path.name):
            found.photos.append(path)
        else:
            found.others += 1
    found.photos.sort()
    if not found.photos and not found.skipped:
        raise BadInput("invalid_option", f"{source} contains no photo.")
    return found


def entry_path(path: Path) -> Path:
    """The path of a file's own directory entry, links in its folder's path resolved."""
    return path.parent.resolve() / path.name


def label_function(
    source: Path, label: str | None, *, from_folders: bool
) -> Callable[[Path], str | None]:
    """The function that gives a photo's label: its folder's name, or one for all.

    Raises:
        BadInput: both are given, or ``source`` is not a folder.
    """
    if from_folders and (label is not None or not source.is_dir()):
        raise BadInput("invalid_option", "--labels-from-folders needs a folder and no --label.")
    return lambda path: path.absolute().parent.name if from_folders else label
