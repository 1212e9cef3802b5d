"""A picture as bands of rows that fit a processor's cache.

Whole-picture arrays of floats would cost gigabytes at 50 megapixels; no other file of this folder
makes an array of a full picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from PIL import Image

PIXELS = 1 << 17
"""In one band, about."""
STEP = 4
"""Rows of a band are a multiple of this, the last band's excepted."""
LEAST = 8
"""Rows of a band, however wide: as many as a window of SSIM has. Of fewer none would fit in."""


def rows(size: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """First and one past the last row of each band, from top to bottom."""
    width, height = size
    each = max(PIXELS // width // STEP * STEP, LEAST)
    for top in range(0, height, each):
        yield top, min(top + each, height)


def cut(image: Image.Image, top: int, bottom: int) -> Image.Image:
    """The band as a small picture."""
    return image.crop((0, top, image.width, bottom))


def samples(band: Image.Image) -> NDArray[np.uint8]:
    """Samples as ``[rows, width, channels]``, one to four channels; a copy."""
    array = np.array(band, dtype=np.uint8)
    return array.reshape(band.height, band.width, -1)


def has_alpha(image: Image.Image) -> bool:
    """Whether the last channel is opacity."""
    return image.mode in ("LA", "RGBA")


def colours(image: Image.Image) -> int:
    """How many channels the noise goes to: not opacity, and not black ink."""
    return min(len(image.getbands()) - has_alpha(image), 3)
