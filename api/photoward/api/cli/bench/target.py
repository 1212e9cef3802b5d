"""Whether a trainer's small copy of a protected photo still says to the surrogate what it shall."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from photoward.api.cli.bench.likeness import opened

if TYPE_CHECKING:
    from photoward.models.surrogates.surrogate import Surrogate

SIDES = (64, 128, 224, 256)
"""Pixels of the copies that trainers make."""

WAYS = {
    "area": Image.Resampling.BOX, "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC, "Lanczos": Image.Resampling.LANCZOS,
}  # fmt: skip

CROPS = {"centre": (0.5, 0.5, 1.0), "random": (0.2, 0.7, 0.75)}
"""Where a square crop lies, across and down, and its side as a share of the shorter one; the second
stands for the random crops of training."""


def said(
    before: bytes, after: bytes, surrogate: Surrogate, direction: np.ndarray
) -> dict[str, list[float]]:
    """Cosine of the features' deviation with the target's direction, of the photo and of the file.

    Returns:
        ``SIDE/WAY/CROP`` → before and after, -1 to 1.
    """
    import torch  # noqa: PLC0415  # heavy

    files = [opened(data) for data in (before, after)]
    kinds = list(product(SIDES, WAYS, CROPS))
    pictures = np.stack([
        copied(file, side, WAYS[way], CROPS[crop], surrogate.card.size)
        for side, way, crop in kinds for file in files
    ])  # fmt: skip
    with torch.no_grad():
        shown = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
        found = surrogate.directions(shown.to(surrogate.device)).cpu().numpy() @ direction
    return {
        f"{side}/{way}/{crop}": [round(float(x), 4) for x in pair]
        for (side, way, crop), pair in zip(kinds, found.reshape(-1, 2), strict=True)
    }


def copied(
    image: Image.Image,
    side: int,
    way: Image.Resampling,
    crop: tuple[float, float, float],
    seen: int,
) -> np.ndarray:
    """A square crop, shrunk to ``side``, as a network of input ``seen`` looks at it: RGB bytes."""
    across, down, share = crop
    edge = share * min(image.size)
    left, top = across * (image.width - edge), down * (image.height - edge)
    small = image.resize((side, side), way, box=(left, top, left + edge, top + edge))
    return np.array(small.resize((seen, seen), Image.Resampling.BILINEAR), np.uint8)
