"""What the finished file shows, beside the original: bound, distance, likeness, what survived."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageChops

from photoward.core.imaging import bands
from photoward.core.imaging.metrics.similarity import Similarity
from photoward.core.imaging.noise import ZERO, Enlarged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Pair = tuple[Image.Image, Image.Image]

WHITE = 255


SAMPLED = 1_000_000
"""Pixels, about, that means (SSIM, survival) are computed from, in bands all over the picture."""


class Comparison:
    """Original against finished file, in one pass over both.

    Changes are counted over colour samples (opacity apart) in 8-bit steps.

    Args:
        pairs: each frame before and after, all of one mode and size.
        noise: what was added to each.
        wanted: each frame as it was given to the encoder: ``encoder_linf`` is the largest change
            of a sample since then, which is the format's own and no noise.
    """

    def __init__(
        self, pairs: Sequence[Pair], noise: Enlarged, wanted: Sequence[Image.Image]
    ) -> None:
        self.same_alpha = True
        self.encoder_linf = 0
        self._counts = np.zeros(WHITE + 1, dtype=np.int64)
        self._moments = np.zeros(6)
        width, height = pairs[0][0].size
        every = max(1, round(width * height * len(pairs) / SAMPLED))
        found = [
            self._compare(before, after, given, noise, every)
            for (before, after), given in zip(pairs, wanted, strict=True)
        ]
        self.ssim = sum(found) / len(found)

    def _compare(
        self,
        before: Image.Image,
        after: Image.Image,
        wanted: Image.Image,
        noise: Enlarged,
        every: int,
    ) -> float:
        likeness = Similarity(before.size)
        for number, (top, bottom) in enumerate(bands.rows(before.size)):
            old, new = bands.cut(before, top, bottom), bands.cut(after, top, bottom)
            self._count(old, new)
            rounding = _changes(bands.cut(wanted, top, bottom), new)[: bands.colours(new)].sum(0)
            self.encoder_linf = max(self.encoder_linf, int(np.flatnonzero(rounding).max()))
            if number % every:
                likeness.skip()
                continue
            likeness.add(_luma(old), _luma(new))
            self._moments += _moments(old, new, noise.band(top, bottom, old))
        return likeness.mean()

    def _count(self, old: Image.Image, new: Image.Image) -> None:
        counts = _changes(old, new)
        if bands.has_alpha(old):
            self.same_alpha &= not counts[-1, 1:].any()
            counts = counts[:-1]
        self._counts += counts[:3].sum(0)

    @property
    def linf(self) -> int:
        """The largest change of a sample."""
        return int(np.flatnonzero(self._counts).max())

    def percentile(self, share: float) -> int:
        """The smallest step that at least this share (0 to 1) of all changes does not exceed."""
        total = self._counts.sum()
        return int(np.searchsorted(np.cumsum(self._counts), math.ceil(share * total)))

    @property
    def psnr_db(self) -> float | None:
        """Peak signal-to-noise ratio; None when nothing changed."""
        squares = int(self._counts @ np.arange(WHITE + 1, dtype=np.int64) ** 2)
        if not squares:
            return None
        return 10 * math.log10(WHITE**2 * int(self._counts.sum()) / squares)

    @property
    def survival(self) -> float | None:
        """Pearson's correlation of the change with the noise before clipping and encoding.

        1 when both are equal; 0 when nothing of it is left; None when the noise is flat, where it
        is not defined.
        """
        return _correlation(self._moments)

    def report(self) -> dict[str, Any]:
        """All figures, ready for JSON."""
        psnr, survival = self.psnr_db, self.survival
        return {
            "linf": self.linf,
            "encoder_linf": self.encoder_linf,
            "p99_9": self.percentile(0.999),
            "psnr_db": None if psnr is None else round(psnr, 3),
            "ssim": round(self.ssim, 5),
            "survival": None if survival is None else round(survival, 5),
        }


def _changes(old: Image.Image, new: Image.Image) -> NDArray[np.int64]:
    """How often each channel changed by so much, ``[channels, 256]``."""
    # Pillow counts bytes ten times as fast as numpy does.
    return np.array(ImageChops.difference(old, new).histogram()).reshape(-1, WHITE + 1)


def _moments(old: Image.Image, new: Image.Image, noise: Image.Image) -> NDArray[np.float64]:
    """Sums of change, wanted change, their squares and product, and how many there are."""
    colours = bands.colours(old)
    before, after, steps = (bands.samples(one)[..., :colours].ravel() for one in (old, new, noise))
    change = np.subtract(after, before, dtype=np.float32)
    wanted = np.subtract(steps, np.float32(ZERO), dtype=np.float32)
    return np.array(
        [
            change.sum(),
            wanted.sum(),
            change @ change,
            wanted @ wanted,
            change @ wanted,
            change.size,
        ],
        np.float64,
    )


def _correlation(moments: NDArray[np.float64]) -> float | None:
    change, wanted, change_2, wanted_2, both = map(float, moments[:-1] / moments[-1])
    spread, wanted_spread = change_2 - change**2, wanted_2 - wanted**2
    least = 1e-9
    if wanted_spread <= least:
        return None
    if spread <= least:
        return 0.0
    return max(-1.0, min(1.0, (both - change * wanted) / math.sqrt(spread * wanted_spread)))


HOST_SIDE, HOST_QUALITY = 1080, 75
"""Pixels of the longer side that hosts commonly show, and their JPEG quality."""

TRAINED = (256, 224, 128, 64)
"""Pixels of the shorter side that trainers commonly shrink photos to."""


def shrunk(before: Image.Image, after: Image.Image, noise: Enlarged) -> dict[str, Any]:
    """Survival in smaller sizes: a host's JPEG, and what trainers look at.

    Args:
        before: the original.
        after: the finished file.
        noise: of both's size.

    Returns:
        ``survival_hosted``, and ``survival_at`` for each of ``TRAINED`` that the picture has.
    """
    scale = min(1.0, HOST_SIDE / max(before.size))
    pair = _resized((before, after), scale)
    hosted = _survival(pair[0], _saved(pair[1]), noise)
    at = {
        str(side): _survival(*_resized(pair, side / min(pair[0].size)), noise)
        for side in TRAINED
        if side <= min(pair[0].size)
    }
    return {"survival_hosted": hosted, "survival_at": at}


def _resized(pair: Pair, scale: float) -> Pair:
    width, height = (max(1, round(side * scale)) for side in pair[0].size)
    how = Image.Resampling.BICUBIC
    before, after = (
        image.resize((width, height), how, reducing_gap=1.0).convert("RGB") for image in pair
    )
    return before, after


def _saved(image: Image.Image) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=HOST_QUALITY, subsampling="4:2:0")
    with Image.open(file) as saved:
        return saved.convert("RGB")


def _survival(before: Image.Image, after: Image.Image, noise: Enlarged) -> float | None:
    layer = noise.of_size(before.size)
    found = _correlation(_moments(before, after, layer.band(0, before.height, before)))
    return None if found is None else round(found, 5)


def _luma(band: Image.Image) -> NDArray[np.uint8]:
    if band.mode == "CMYK":
        band = band.convert("RGB")
    return np.asarray(band if band.mode == "L" else band.convert("L"))
