"""Noise from the working grid, laid over the full picture and added to its colours.

All samples are whole 8-bit steps: what is added is what the bound is promised for.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from photoward.core.imaging import bands

if TYPE_CHECKING:
    from numpy.typing import NDArray

ZERO = 128
"""How no change is stored in a band of noise."""

WIDEST = ZERO - 1
"""Largest change of a sample, in 8-bit steps, that a band of noise can hold in both directions."""


class Enlarged:
    """Noise of a picture's size, made band by band.

    Args:
        noise: ``[G, G, 3]`` in 8-bit steps.
        epsilon: bound in 8-bit steps; its whole part counts. None: ``WIDEST``.
        size: of the picture, pixels.
        grey: one plane, the mean of the three, for all channels.
        inks: the picture's colours are cyan, magenta, yellow and black: what shall be brighter
            gets less of the first three.
    """

    def __init__(
        self, noise: NDArray[np.int16], *, epsilon: float | None, size: tuple[int, int],
        grey: bool, inks: bool = False,
    ) -> None:  # fmt: skip
        self.bound = WIDEST if epsilon is None else math.floor(epsilon)
        if not 0 <= self.bound <= WIDEST:
            raise ValueError(f"epsilon must lie between 0 and {WIDEST}")
        self._given, self._grey, self._inks = noise, grey, inks
        planes = np.rint(noise.mean(axis=2)) if grey else noise
        stored = (np.clip(planes, -self.bound, self.bound) + ZERO).astype(np.uint8)
        self.grid = noise.shape[0]
        self.size = size
        # Columns first and once: rows then follow band by band, as in one resize of the whole.
        self._wide = Image.fromarray(stored).resize((size[0], self.grid), Image.Resampling.BICUBIC)

    def of_size(self, size: tuple[int, int]) -> Enlarged:
        """The same noise over the same picture in another size, in RGB or grey."""
        return Enlarged(self._given, epsilon=self.bound, size=size, grey=self._grey)

    def band(self, top: int, bottom: int, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Noise for rows ``[top, bottom)``, as wide as ``pixels``' colours and stored + ``ZERO``.

        Args:
            top: first row.
            bottom: one past the last row.
            pixels: the picture's rows with 1 to 4 channels; where they are wholly transparent
                (two or four channels, if these are no inks) there is no noise.
        """
        width, height = self.size
        scale = self.grid / height
        strip = self._wide.resize(
            (width, bottom - top), Image.Resampling.BICUBIC,
            box=(0, top * scale, width, min(bottom * scale, self.grid)),
        )  # fmt: skip
        # Bicubic curves overshoot between grid points.
        noise = np.clip(bands.samples(strip), ZERO - self.bound, ZERO + self.bound)
        channels = pixels.shape[2]
        if self._inks:
            noise = np.negative(noise)  # 128 + n becomes 128 - n, modulo 256
        elif channels % 2 == 0:
            noise[pixels[..., -1] == 0] = ZERO
        colours = channels - 1 + channels % 2
        return noise if noise.shape[2] == colours else np.repeat(noise, colours, axis=2)


def add(image: Image.Image, noise: Enlarged) -> Image.Image:
    """A copy of a picture with the noise added to its colours, clipped at black and white."""
    changed = Image.new(image.mode, image.size)
    for top, bottom in bands.rows(image.size):
        pixels = bands.samples(bands.cut(image, top, bottom))
        steps = noise.band(top, bottom, pixels)
        colours = pixels[..., : steps.shape[2]]
        rise = np.minimum(np.maximum(steps, ZERO) - ZERO, ~colours)
        fall = np.minimum(ZERO - np.minimum(steps, ZERO), colours)
        colours += rise
        colours -= fall
        bands.paste(pixels, changed, top)
    return changed
