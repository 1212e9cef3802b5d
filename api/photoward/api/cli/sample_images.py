"""Sample images for demonstrations and measurements: from scikit-image, and synthetic ones."""

from __future__ import annotations

import importlib.resources
import importlib.util
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SHIPPED = {
    "astronaut.png": "astronaut",
    "chelsea.png": "cat",
    "coffee.png": "coffee",
    "rocket.jpg": "rocket",
    "hubble_deep_field.jpg": "galaxies",
    "camera.png": "cameraman",
    "coins.png": "coins",
    "motorcycle_left.png": "motorcycle",
}
"""File in scikit-image's data folder (public domain or CC0) → label."""


OCTAVES = 7


@dataclass(frozen=True)
class Sample:
    """An encoded image and its label."""

    name: str
    data: bytes
    media_type: str
    label: str | None


def demonstration() -> list[Sample]:
    """Up to twelve images: photos of scikit-image if it is installed, and synthetic ones."""
    found = list(_own())
    if importlib.util.find_spec("skimage") is not None:
        folder = importlib.resources.files("skimage") / "data"
        for file, label in SHIPPED.items():
            data = (folder / file).read_bytes()
            media_type = "image/jpeg" if file.endswith(".jpg") else "image/png"
            found.append(Sample(file.rpartition(".")[0], data, media_type, label))
    return found


def synthetic_photo(width: int, height: int, seed: int) -> Image.Image:
    """A synthetic image with a photo's spectrum: power falls with the square of the frequency.

    Layers of random cells, each octave half as strong as the one before.
    """
    random = np.random.default_rng(seed)
    total = Image.new("RGB", (width, height), (128, 128, 128))
    for octave in range(OCTAVES):
        cells = 4 << octave
        layer = random.integers(0, 256, (cells * height // width + 1, cells, 3), dtype=np.uint8)
        grown = Image.fromarray(layer).resize((width, height), Image.Resampling.BICUBIC)
        total = Image.blend(total, grown, 0.5**octave * 0.7)
    return total


def encoded(image: Image.Image, kind: str) -> bytes:
    """The image as a file: ``JPEG`` (quality 92, 4:4:4) or ``PNG``."""
    buffer = io.BytesIO()
    options = {"quality": 92, "subsampling": 0} if kind == "JPEG" else {"compress_level": 1}
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def small_pictures(count: int, seed: int, size: int = 32) -> NDArray[np.uint8]:
    """``[count, size, size, 3]`` smooth random images, 8-bit RGB."""
    random = np.random.default_rng(seed)
    return np.stack(
        [
            np.asarray(
                Image.fromarray(random.integers(0, 256, (5, 5, 3), dtype=np.uint8)).resize(
                    (size, size), Image.Resampling.BICUBIC
                )
            )
            for _ in range(count)
        ]
    )


def _own() -> list[Sample]:
    landscape = synthetic_photo(1600, 1067, 1)
    y, x = np.mgrid[0:512, 0:512] / 511
    sky = np.stack([90 + 90 * y, 140 + 80 * y, 235 - 20 * y], axis=2).astype(np.uint8)
    disc = (255 * np.clip(1.5 - 4 * np.hypot(x - 0.5, y - 0.5), 0, 1)).astype(np.uint8)
    cut_out = Image.fromarray(np.dstack([sky, disc]))
    tile = Image.fromarray(small_pictures(1, 7)[0])
    return [
        Sample("synthetic-landscape", encoded(landscape, "JPEG"), "image/jpeg", "landscape"),
        Sample("smooth-sky", encoded(Image.fromarray(sky), "PNG"), "image/png", "sky"),
        Sample("cut-out-with-alpha", encoded(cut_out, "PNG"), "image/png", "ball"),
        Sample("thumbnail-32px", encoded(tile, "PNG"), "image/png", None),
    ]
