"""Fidelity of protected files at 100 %: visibility, MS-SSIM, and a page of crops.

MS-SSIM (Wang, Simoncelli, Bovik, Asilomar 2003) needs the extra ``fidelity``.
"""

from __future__ import annotations

import base64
import io
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps

from photoward.core.imaging.metrics.visibility import seen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

SIDE = 1024
"""Side in pixels of the middle of a photo that is compared."""

BLOCK = 8
LEAST_SIDE = 161
"""Smallest side in pixels: MS-SSIM halves the image four times and then needs eleven."""

CROP = 192
"""Side of a crop on the page, in pixels."""

STYLE = (
    "body{font:15px system-ui;margin:1rem;background:#777;color:#fff}.row{white-space:nowrap}"
    "figure{display:inline-block;margin:.3rem}figure div{background-size:100% 100%}"
    f".x1{{width:{CROP}px;height:{CROP}px}}"
    f".x2{{width:{2 * CROP}px;height:{2 * CROP}px;image-rendering:pixelated}}"
)


def at_100(before: bytes, after: bytes) -> dict[str, Any]:
    """The visibility of the change in the middle at 100 %."""
    return seen(middle(before), middle(after)).report()


def ms_ssim(before: bytes, after: bytes) -> float | None:
    """MS-SSIM of the middle, 0 to 1; None if it is too small."""
    import pytorch_msssim
    import torch

    old, new = middle(before), middle(after)
    if min(old.size) < LEAST_SIDE:
        return None
    pair = [torch.from_numpy(np.array(one)).permute(2, 0, 1)[None].float() for one in (old, new)]
    return round(float(pytorch_msssim.ms_ssim(*pair, data_range=255)), 5)


def middle(data: bytes) -> Image.Image:
    """The middle of a photo as it is stored, in RGB, ``SIDE`` pixels or less."""
    image = opened(data)
    left, top = (max(0, (side - SIDE) // 2) for side in image.size)
    return image.crop((left, top, min(left + SIDE, image.width), min(top + SIDE, image.height)))


def opened(data: bytes) -> Image.Image:
    """As it is displayed, in RGB."""
    with Image.open(io.BytesIO(data)) as file:
        return ImageOps.exif_transpose(file).convert("RGB")


def flatness(image: Image.Image) -> NDArray[np.float64]:
    """Standard deviation of luma in each whole block, ``[H // BLOCK, W // BLOCK]``."""
    luma = np.asarray(image.convert("L"), float)
    height, width = (side // BLOCK for side in luma.shape)
    blocks = luma[: height * BLOCK, : width * BLOCK].reshape(height, BLOCK, width, BLOCK)
    spread: NDArray[np.float64] = blocks.std(axis=(1, 3))
    return spread


def page(photos: Sequence[tuple[str, dict[str, bytes]]], out: Path) -> None:
    """Write a page with crops of each photo in each version, at 100 % and 200 %.

    The crops show its flattest part and its middle.

    Args:
        photos: name, and file by version; the first version is the original.
        out: the HTML file, which needs no other. What has no second version or is smaller than a
            crop is left out.
    """
    parts = [f"<!doctype html><meta charset=utf-8><title>Crops</title><style>{STYLE}</style>"]
    for name, versions in photos:
        pictures = {version: opened(data) for version, data in versions.items()}
        original = next(iter(pictures.values()))
        if len(pictures) == 1 or min(original.size) < CROP:
            continue  # nothing to compare, or too small to crop
        for place, (left, top) in _places(original).items():
            parts.append(f"<h2>{name}, {place}</h2>")
            box = (left, top, left + CROP, top + CROP)
            crops = {version: picture.crop(box) for version, picture in pictures.items()}
            parts += _rows(crops, f"c{len(parts)}")
    out.write_text("\n".join(parts), encoding="utf-8")


def _rows(crops: dict[str, Image.Image], name: str) -> Iterator[str]:
    """Each crop's data once, as the background of a small figure and of a large one."""
    for number, crop in enumerate(crops.values()):
        file = io.BytesIO()
        crop.save(file, "JPEG", quality=97, subsampling="4:4:4")
        data = base64.b64encode(file.getvalue()).decode()
        image = f"background-image:url(data:image/jpeg;base64,{data})"
        yield f"<style>.{name}-{number}{{{image}}}</style>"
    for scale in (1, 2):
        figures = [
            f'<figure><div class="x{scale} {name}-{number}" role="img" aria-label="{version}">'
            f"</div><figcaption>{version}, {scale * 100} %</figcaption></figure>"
            for number, version in enumerate(crops)
        ]
        yield "".join(['<div class="row">', *figures, "</div>"])


def _places(image: Image.Image) -> dict[str, tuple[int, int]]:
    """Left and top of the crops."""
    spread, cells = flatness(image), CROP // BLOCK
    rows, columns = (max(1, side - cells) for side in spread.shape)
    means = {
        (top, left): spread[top : top + cells, left : left + cells].mean()
        for top in range(0, rows, cells // 2)
        for left in range(0, columns, cells // 2)
    }
    top, left = min(means, key=lambda at: means[at])
    centre = max(0, (image.width - CROP) // 2), max(0, (image.height - CROP) // 2)
    return {"its flattest part": (left * BLOCK, top * BLOCK), "its middle": centre}


def codec_s(data: bytes) -> float:
    """Seconds that libjpeg-turbo takes to decode a JPEG and encode it, the best of three."""
    import simplejpeg

    spent: list[float] = []
    for _ in range(3):
        began = time.perf_counter()
        pixels = simplejpeg.decode_jpeg(data)
        simplejpeg.encode_jpeg(pixels, 95, "RGB", "444")
        spent.append(time.perf_counter() - began)
    return min(spent)
