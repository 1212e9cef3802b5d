"""What people upload: sizes, kinds and modes, and the check of what comes back."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from photoward.api.cli import sample_images
from photoward.core.catalogue import DEFAULT_PRESET, PRESETS
from tests.core.imaging.pictures import file, image, smooth
from tests.support.stack import Upload

if TYPE_CHECKING:
    from typing import Any

EPSILON = PRESETS[DEFAULT_PRESET].epsilon


@dataclass(frozen=True)
class Photo:
    """An upload and what its output must be."""

    name: str
    upload: Upload
    lossless: bool
    media_type: str
    mode: str


def photos(small: int = 4) -> list[Photo]:
    """Small PNGs, a 12 MP JPEG, and one of each kind."""
    tiles = sample_images.small_pictures(small, 5)
    found = [
        _photo(f"tile-{number}", Image.fromarray(tile), label="tile" if number % 2 else None)
        for number, tile in enumerate(tiles)
    ]
    large = sample_images.synthetic_photo(4000, 3000, 1)
    return [
        *found,
        _photo("photo", large, "JPEG", lossless=False, quality=90),
        _photo("alpha", image("RGBA", (120, 90))),
        _photo("grey", smooth((160, 100), "L")),
        _photo("webp", smooth((300, 200)), "WEBP", lossless=False, quality=85),
        _photo("webp-lossless", smooth((300, 200)), "WEBP", lossless=True),
        _photo("avif", smooth((256, 256)), "AVIF", lossless=False, quality=80),
        _photo("png-from-jpeg", smooth((90, 200)), "JPEG", lossless=True, output="png"),
    ]


def check(photo: Photo, item: dict[str, Any], data: bytes) -> None:
    """Decodable, of equal size, kind and mode, changed, and within ε where the format can."""
    assert item["state"] == "succeeded", (photo.name, item["error"])
    assert item["output"]["media_type"] == photo.media_type
    before, after = (_samples(one) for one in (photo.upload.data, data))
    with Image.open(io.BytesIO(data)) as opened:
        assert opened.get_format_mimetype() == photo.media_type
        assert opened.mode == photo.mode, photo.name
    assert after.shape == before.shape
    change = np.abs(after.astype(np.int16) - before)
    assert change.any(), photo.name
    if photo.lossless:
        assert change.max() <= EPSILON
        assert item["measured"]["linf"] == change.max()
    else:
        assert item["measured"]["psnr_db"] > 27
    if photo.mode == "RGBA":
        assert not change[..., 3].any()
        assert not change[before[..., 3] == 0].any()


def _photo(  # noqa: PLR0913  # one keyword for each thing a photo may be
    name: str,
    picture: Image.Image,
    kind: str = "PNG",
    *,
    lossless: bool = True,
    output: str | None = None,
    label: str | None = "thing",
    **how: Any,  # noqa: ANN401  # Pillow's
) -> Photo:
    if kind == "WEBP":
        how["lossless"] = lossless
    upload = Upload(file(picture, kind, **how), f"image/{kind.lower()}", label, output)
    media_type = f"image/{output or kind.lower()}"
    return Photo(name, upload, lossless, media_type, picture.mode)


def _samples(data: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    with Image.open(io.BytesIO(data)) as opened:
        return np.asarray(opened)
