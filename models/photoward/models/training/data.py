"""Labelled pictures from class folders or a manifest, whole in memory as 8-bit samples."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from photoward.core.errors import BadInput
from photoward.core.files import is_hidden
from photoward.models.training.manifest import read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    Entries = list[tuple[Path, int]]

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".avif", ".bmp"})


@dataclass(frozen=True)
class LabelledPictures:
    """Pictures ``[N, 3, S, S]`` as 8-bit samples, class numbers ``[N]``, and the classes."""

    pictures: torch.Tensor
    labels: torch.Tensor
    classes: list[str]
    names: tuple[str, ...] = ()
    """The files' paths below their root; tells which pictures of two sets belong together."""

    def digest(self) -> str:
        """SHA-256 over classes, labels and samples: says which data a result belongs to."""
        digest = hashlib.sha256("\0".join(self.classes).encode())
        digest.update(self.labels.numpy().tobytes())
        digest.update(self.pictures.numpy().tobytes())
        return digest.hexdigest()

    def take(self, index: Sequence[int]) -> LabelledPictures:
        """The pictures of these numbers, in this order."""
        wanted = torch.tensor(index, dtype=torch.long)
        return replace(
            self,
            pictures=self.pictures[wanted],
            labels=self.labels[wanted],
            names=tuple(self.names[i] for i in index) if self.names else (),
        )


def load_pictures(
    source: Path,
    size: int,
    classes: list[str] | None = None,
    track: Callable[[Entries], Iterable[tuple[Path, int]]] = iter,
) -> LabelledPictures:
    """Read class folders, or the pictures that a manifest names (``training.manifest``).

    Arguments and errors are those of ``load_folders``.
    """
    if not source.is_file():
        return load_folders(source, size, classes, track)
    listed = read_manifest(source)
    named = {label for _, label in listed}
    found = classes or sorted(named)
    _require_classes(source, found)
    numbers = {name: number for number, name in enumerate(found)}
    for name in found:
        if name not in named:
            raise BadInput("invalid_option", f"{source} names no pictures of the class {name}.")
    files = [(path, numbers[label]) for path, label in listed if label in numbers]
    return _load(sorted(files, key=lambda file: file[1]), source.parent, size, found, track)


def load_folders(
    root: Path,
    size: int,
    classes: list[str] | None = None,
    track: Callable[[Entries], Iterable[tuple[Path, int]]] = iter,
) -> LabelledPictures:
    """Read ``root/CLASS/PICTURE`` files.

    Args:
        root: folder of class folders; a class's pictures may lie in sub-folders.
        size: side S; larger pictures are shrunk to their centred square.
        classes: expected classes in order; default: the folder names, sorted.
        track: wraps the list of files, to show progress.

    Raises:
        BadInput: no such folder, fewer than two classes, an empty class or an unreadable
            picture; the message says which and what to do.
    """
    files, found = labelled_files(root, classes)
    return _load(files, root, size, found, track)


def labelled_files(root: Path, classes: list[str] | None = None) -> tuple[Entries, list[str]]:
    """The files of class folders with their class numbers, and the classes.

    Raises:
        BadInput: no such folder, fewer than two classes or an empty class.
    """
    if not root.is_dir():
        raise BadInput("invalid_option", f"{root} is not a folder.")
    found = classes or sorted(
        entry.name for entry in root.iterdir() if entry.is_dir() and not is_hidden(entry.name)
    )
    _require_classes(root, found)
    files: Entries = []
    for number, name in enumerate(found):
        own = sorted(
            path
            for path in (root / name).rglob("*")
            if path.suffix.lower() in SUFFIXES
            and not any(map(is_hidden, path.relative_to(root / name).parts))
        )
        if not own:
            raise BadInput("invalid_option", f"The class folder {root / name} has no pictures.")
        files += [(path, number) for path in own]
    return files, found


def _require_classes(source: Path, found: list[str]) -> None:
    if len(found) < 2:  # noqa: PLR2004  # one class cannot be told from another
        needed = "must name" if source.is_file() else "needs a folder for each class,"
        detail = f"{source} {needed} at least two classes; it has {len(found)}."
        raise BadInput("invalid_option", detail)


def _load(
    files: Entries,
    root: Path,
    size: int,
    classes: list[str],
    track: Callable[[Entries], Iterable[tuple[Path, int]]],
) -> LabelledPictures:
    pictures = np.empty((len(files), 3, size, size), np.uint8)
    for i, (path, _) in enumerate(track(files)):
        pictures[i] = _read(path, size).transpose(2, 0, 1)
    labels = torch.tensor([number for _, number in files])
    names = tuple(
        (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
        for path, _ in files
    )
    return LabelledPictures(torch.from_numpy(pictures), labels, classes, names)


def _read(path: Path, size: int) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    try:
        with Image.open(path) as image:
            picture = ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError) as error:
        detail = f"{path} cannot be read as a picture: {error}; remove or replace it."
        raise BadInput("corrupt", detail) from error
    if picture.size != (size, size):
        picture = ImageOps.fit(picture, (size, size), Image.Resampling.LANCZOS)
    return np.asarray(picture)
