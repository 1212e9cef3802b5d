"""Labelled pictures from class folders, whole in memory as 8-bit samples."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from photoward.core.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".avif", ".bmp"})


@dataclass(frozen=True)
class LabelledPictures:
    """Pictures ``[N, 3, S, S]`` as 8-bit samples, class numbers ``[N]``, and the classes."""

    pictures: torch.Tensor
    labels: torch.Tensor
    classes: list[str]

    def digest(self) -> str:
        """SHA-256 over classes, labels and samples: says which data a result belongs to."""
        digest = hashlib.sha256("\0".join(self.classes).encode())
        digest.update(self.labels.numpy().tobytes())
        digest.update(self.pictures.numpy().tobytes())
        return digest.hexdigest()


def load_folders(
    root: Path,
    size: int,
    classes: list[str] | None = None,
    track: Callable[[list[tuple[Path, int]]], Iterable[tuple[Path, int]]] = iter,
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
    if not root.is_dir():
        raise BadInput("invalid_option", f"{root} is not a folder.")
    found = classes or sorted(entry.name for entry in root.iterdir() if entry.is_dir())
    if len(found) < 2:  # noqa: PLR2004  # one class cannot be told from another
        detail = f"{root} needs a folder for each class, at least two; it has {len(found)}."
        raise BadInput("invalid_option", detail)
    files: list[tuple[Path, int]] = []
    for number, name in enumerate(found):
        own = sorted(p for p in (root / name).rglob("*") if p.suffix.lower() in SUFFIXES)
        if not own:
            raise BadInput("invalid_option", f"The class folder {root / name} has no pictures.")
        files += [(path, number) for path in own]
    pictures = np.empty((len(files), 3, size, size), np.uint8)
    for i, (path, _) in enumerate(track(files)):
        pictures[i] = _read(path, size).transpose(2, 0, 1)
    labels = torch.tensor([number for _, number in files])
    return LabelledPictures(torch.from_numpy(pictures), labels, found)


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
