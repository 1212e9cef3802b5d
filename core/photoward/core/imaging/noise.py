"""Noise from the working grid, laid over the full picture and added to its colours.

All samples are whole 8-bit steps: what is added is what the bound is promised for.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageChops

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
        self,
        noise: NDArray[np.int16],
        *,
        epsilon: float | None,
        size: tuple[int, int],
        grey: bool,
        inks: bool = False,
    ) -> None:
        self.bound = WIDEST if epsilon is None else math.floor(epsilon)
        if not 0 <= self.bound <= WIDEST:
            raise ValueError(f"epsilon must lie between 0 and {WIDEST}")
        self._given, self._grey = noise, grey
        planes = np.rint(noise.mean(axis=2)) if grey else noise
        stored = (np.clip(planes, -self.bound, self.bound) + ZERO).astype(np.uint8)
        self.grid = noise.shape[0]
        self.size = size
        # Columns first and once: rows then follow band by band, as in one resize of the whole.
        self._wide = Image.fromarray(stored).resize((size[0], self.grid), Image.Resampling.BICUBIC)
        # Bicubic curves overshoot between grid points.
        within = [min(max(x, ZERO - self.bound), ZERO + self.bound) for x in range(256)]
        self._within = [2 * ZERO - x for x in within] if inks else within

    def of_size(self, size: tuple[int, int]) -> Enlarged:
        """The same noise over the same picture in another size, in RGB or grey."""
        return Enlarged(self._given, epsilon=self.bound, size=size, grey=self._grey)

    def band(self, top: int, bottom: int, pixels: Image.Image) -> Image.Image:
        """Noise for rows ``[top, bottom)``, stored + ``ZERO``, in the mode of ``pixels``.

        Args:
            top: first row.
            bottom: one past the last row.
            pixels: the picture's rows; where they are wholly transparent there is no noise. None
                goes to opacity and to black ink.
        """
        width, height = self.size
        scale = self.grid / height
        strip = self._wide.resize(
            (width, bottom - top),
            Image.Resampling.BICUBIC,
            box=(0, top * scale, width, min(bottom * scale, self.grid)),
        )
        strip = strip.point(self._within * len(strip.getbands()))
        if bands.has_alpha(pixels):
            clear = pixels.getchannel("A").point([255, *[0] * 255])
            strip.paste((ZERO,) * len(strip.getbands()), mask=clear)
        if strip.mode == pixels.mode:
            return strip
        colours = bands.colours(pixels)
        planes = list(strip.split())
        planes = planes if len(planes) == colours else planes * colours
        if len(pixels.getbands()) > colours:
            planes.append(Image.new("L", pixels.size, ZERO))
        return Image.merge(pixels.mode, planes)


def add(image: Image.Image, noise: Enlarged) -> Image.Image:
    """A copy of a picture with the noise added to its colours, clipped at black and white."""
    changed = Image.new(image.mode, image.size)
    for top, bottom in bands.rows(image.size):
        pixels = bands.cut(image, top, bottom)
        changed.paste(ImageChops.add(pixels, noise.band(top, bottom, pixels), 1, -ZERO), (0, top))
    return changed
