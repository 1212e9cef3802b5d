"""A colour-managed viewer: which colours a file shows, computed by other means than the product's.

A profile counts first, then code points, then a PNG's gAMA and cHRM, else sRGB is meant.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageCms, ImageOps

from photoward.core.imaging.formats import heif, png
from photoward.core.imaging.formats.window import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from photoward.core.imaging.header import CodePoints

    Array = NDArray[np.float64]

BLOCK = 16
_D65 = (0.3127, 0.3290)
_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_PRIMARIES = {
    1: (0.64, 0.33, 0.30, 0.60, 0.15, 0.06),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}


def difference(before: bytes, after: bytes) -> float:
    """Mean CIE76 between the means of blocks of 16 pixels."""
    one, other = _means(lab(before)), _means(lab(after))
    return float(np.sqrt(((one - other) ** 2).sum(axis=-1)).mean())


def lab(data: bytes) -> Array:
    """CIELAB under D50, ``[height, width, 3]``, upright."""
    with Image.open(io.BytesIO(data)) as opened:
        opened.load()
        image = ImageOps.exif_transpose(opened)
        image.info = dict(opened.info)
    points = _points(data, str(opened.format))
    if image.mode in ("P", "RGBA"):
        image = _plain(image)
    if points and opened.format == "PNG":
        return _by_numbers(image, _CURVES[points.transfer], (*_D65, *_PRIMARIES[points.primaries]))
    if icc := image.info.get("icc_profile"):
        return _by_profile(image, icc)
    if points:
        return _by_numbers(image, _CURVES[points.transfer], (*_D65, *_PRIMARIES[points.primaries]))
    chromaticities = image.info.get("chromaticity", (*_D65, *_PRIMARIES[1]))
    gamma = image.info.get("gamma")
    if gamma and "srgb" not in image.info:
        return _by_numbers(image, lambda v: v ** (1 / gamma), chromaticities)
    return _by_numbers(image, _srgb, (*_D65, *_PRIMARIES[1]))


def _plain(image: Image.Image) -> Image.Image:
    plain = image.convert("RGB")
    plain.info = dict(image.info)
    return plain


def _points(data: bytes, form: str) -> CodePoints | None:
    reader = {"PNG": png.code_points, "AVIF": heif.code_points, "HEIF": heif.code_points}.get(form)
    return reader(Window(data)) if reader else None


def _by_profile(image: Image.Image, icc: bytes) -> Array:
    """LittleCMS gives sRGB at best at 8 bits; the wide colours need Lab itself."""
    source = ImageCms.getOpenProfile(io.BytesIO(icc))
    if source.profile.xcolor_space.strip() == "GRAY":
        image = image.convert("L")
    elif image.mode in ("L", "LA"):
        image = image.convert("RGB")
    into = ImageCms.createProfile("LAB")
    found = np.asarray(
        ImageCms.applyTransform(
            image, ImageCms.buildTransform(source, into, image.mode, "LAB", ImageCms.Intent(1))
        )
    )
    signed = found[..., 1:].view(np.int8).astype(float)
    return np.concatenate([found[..., :1] * (100 / 255), signed], axis=-1)


def _by_numbers(image: Image.Image, curve: Any, numbers: tuple[float, ...]) -> Array:  # noqa: ANN401  # a function of arrays
    light = curve(np.asarray(image.convert("RGB"), float) / 255)
    white, *primaries = (_xyz(*numbers[at : at + 2]) for at in range(0, 8, 2))
    columns = np.array(primaries).T
    matrix = columns * np.linalg.solve(columns, white)
    cones = _BRADFORD @ matrix  # an eye adapts: white is white
    adapted = np.linalg.solve(
        _BRADFORD, cones * ((_BRADFORD @ _D50) / (_BRADFORD @ white))[:, None]
    )
    xyz = light @ (adapted / _D50[:, None]).T
    bent = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    x, y, z = np.moveaxis(bent, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def _xyz(x: float, y: float) -> tuple[float, float, float]:
    return x / y, 1.0, (1 - x - y) / y


def _srgb(v: Array) -> Array:
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def _camera(v: Array) -> Array:
    return np.where(v < 0.081, v / 4.5, ((v + 0.099) / 1.099) ** (1 / 0.45))


def _perceptual(v: Array) -> Array:
    """PQ, scaled to a white of 203 cd/m²."""
    bent = v ** (1 / 78.84375)
    return (np.maximum(bent - 0.8359375, 0) / (18.8515625 - 18.6875 * bent)) ** (
        1 / 0.1593017578125
    ) * (10_000 / 203)


_CURVES = {
    1: _camera,
    2: _srgb,
    4: lambda v: v**2.2,
    6: _camera,
    8: lambda v: v,
    13: _srgb,
    14: _camera,
    16: _perceptual,
}


def _means(pixels: Array) -> Array:
    height, width = (max(side // BLOCK, 1) * BLOCK for side in pixels.shape[:2])
    whole = pixels[:height, :width]
    rows = np.add.reduceat(whole, range(0, len(whole), BLOCK), axis=0)
    sums = np.add.reduceat(rows, range(0, rows.shape[1], BLOCK), axis=1)
    counts = np.minimum(BLOCK, len(whole) - np.arange(0, len(whole), BLOCK))
    widths = np.minimum(BLOCK, whole.shape[1] - np.arange(0, whole.shape[1], BLOCK))
    return np.asarray(sums / (counts[:, None, None] * widths[None, :, None]))
