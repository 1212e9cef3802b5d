"""How alike two files look, by metrics too slow for every upload; and crops to look at oneself.

MS-SSIM (Wang, Simoncelli, Bovik, Asilomar 2003), FLIP (Andersson et al., HPG 2020, at its default
of 67 pixels a degree), and the colour difference CIEDE2000 where a photo is flat, which is where
noise is seen. They come with the extra ``likeness``.
"""

from __future__ import annotations

import base64
import io
import time
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

SIDE = 1024
"""Of the middle of a photo, in its own pixels, that is compared."""

FLAT = 2.0
"""Standard deviation of luma, in 8-bit steps, below which a block of ``BLOCK`` pixels is flat."""

BLOCK = 8
LEAST_SIDE = 161
"""MS-SSIM halves the picture four times and needs eleven pixels then."""

CROP = 192
"""Side of a crop on the page."""

STYLE = (
    "body{font:15px system-ui;margin:1rem;background:#777;color:#fff}.row{white-space:nowrap}"
    "figure{display:inline-block;margin:.3rem}figure div{background-size:100% 100%}"
    f".x1{{width:{CROP}px;height:{CROP}px}}"
    f".x2{{width:{2 * CROP}px;height:{2 * CROP}px;image-rendering:pixelated}}"
)


def compare(before: bytes, after: bytes) -> dict[str, float | None]:
    """``ms_ssim``, ``flip`` (0: equal) and ``flat_delta_e_p95``; None where it is not defined."""
    import flip_evaluator  # noqa: PLC0415  # of an extra
    import torch  # noqa: PLC0415  # heavy
    from pytorch_msssim import ms_ssim  # noqa: PLC0415  # of an extra

    old, new = middle(before), middle(after)
    likeness = None
    if min(old.shape[:2]) >= LEAST_SIDE:
        pair = [torch.from_numpy(one).permute(2, 0, 1)[None].float() for one in (old, new)]
        likeness = round(float(ms_ssim(*pair, data_range=255)), 5)
    unit = [np.float32(one / 255) for one in (old, new)]
    _, flip, _ = flip_evaluator.evaluate(*unit, "LDR")
    return {
        "ms_ssim": likeness, "flip": round(float(flip), 5), "flat_delta_e_p95": _flat(old, new)
    }  # fmt: skip


def middle(data: bytes) -> NDArray[np.uint8]:
    """The middle of a photo as it is stored, RGB ``[H, W, 3]``, ``SIDE`` pixels or less."""
    image = opened(data)
    left, top = (max(0, (side - SIDE) // 2) for side in image.size)
    box = (left, top, min(left + SIDE, image.width), min(top + SIDE, image.height))
    return np.array(image.crop(box), np.uint8)


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


def _flat(old: NDArray[np.uint8], new: NDArray[np.uint8]) -> float | None:
    from skimage import color  # noqa: PLC0415  # of an extra

    flat = flatness(Image.fromarray(old)) < FLAT
    if not flat.any():
        return None
    where = np.kron(flat, np.ones((BLOCK, BLOCK))).astype(bool)
    height, width = where.shape
    lab = [color.rgb2lab(one[:height, :width][where]) for one in (old, new)]
    return round(float(np.percentile(color.deltaE_ciede2000(*lab), 95)), 3)


def page(photos: Sequence[tuple[str, dict[str, bytes]]], out: Path) -> None:
    """Crops of each photo in each version, at 100 % and at 200 %: its flattest part and its middle.

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
        for top in range(0, rows, cells // 2) for left in range(0, columns, cells // 2)
    }  # fmt: skip
    top, left = min(means, key=lambda at: means[at])
    centre = max(0, (image.width - CROP) // 2), max(0, (image.height - CROP) // 2)
    return {"its flattest part": (left * BLOCK, top * BLOCK), "its middle": centre}


def codec_s(data: bytes) -> float:
    """Seconds that libjpeg-turbo takes to decode a JPEG and encode it, the best of three."""
    import simplejpeg  # noqa: PLC0415  # of an extra

    spent: list[float] = []
    for _ in range(3):
        began = time.perf_counter()
        pixels = simplejpeg.decode_jpeg(data)
        simplejpeg.encode_jpeg(pixels, 95, "RGB", "444")
        spent.append(time.perf_counter() - began)
    return min(spent)
