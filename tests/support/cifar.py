"""Lays CIFAR-10 out as class folders: ``python tests/support/cifar.py SHARED OUT PART...``.

``SHARED`` holds mosaics of 100 × 100 pictures (``train_1.webp`` … ``test.webp``) with label
arrays; a part is ``train_1`` … ``train_5`` or ``test``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
SIDE, ROW = 32, 100
EACH = ROW * ROW


def tiles(mosaic: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """The 10 000 pictures ``[10000, 32, 32, 3]`` of one mosaic, row by row."""
    Image.MAX_IMAGE_PIXELS = None
    samples = np.asarray(Image.open(mosaic).convert("RGB"))
    rows = samples.reshape(ROW, SIDE, ROW, SIDE, 3).transpose(0, 2, 1, 3, 4)
    return rows.reshape(-1, SIDE, SIDE, 3)


def labels(shared: Path, part: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """The class numbers of a part's pictures."""
    if part == "test":
        return np.load(shared / "test_labels.npy")  # type: ignore[no-any-return]  # numpy's load
    number = int(part.removeprefix("train_"))
    every = np.load(shared / "train_labels.npy")
    return every[(number - 1) * EACH : number * EACH]  # type: ignore[no-any-return]  # numpy's load


def write(shared: Path, out: Path, part: str, limit: int = EACH) -> None:
    """Write a part's first pictures as ``OUT/CLASS/PART-NUMBER.png``."""
    for number, (picture, label) in enumerate(
        zip(tiles(shared / f"{part}.webp")[:limit], labels(shared, part), strict=False)
    ):
        folder = out / CLASSES[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / f"{part}-{number:05}.png", compress_level=1)


if __name__ == "__main__":
    for wanted in sys.argv[3:]:
        write(Path(sys.argv[1]), Path(sys.argv[2]), wanted)
