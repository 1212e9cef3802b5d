"""Real pictures through the whole service: 100 of CIFAR-10 and ten photos, each sent twice."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from photoward.core.catalogue import DEFAULT_PRESET, PRESETS
from photoward.core.settings import Settings
from tests.support import cifar
from tests.support.audit import audit
from tests.support.stack import Upload, fresh_stack

BESIDE = Path(__file__).parents[3] / "shared"
DATA = Path(os.environ.get("PHOTOWARD_SHARED", BESIDE)) / "data"
TILES, PHOTOS = 100, 10
EPSILON = PRESETS[DEFAULT_PRESET].epsilon


def tiles() -> list[Upload]:
    """The first CIFAR-10 test pictures as PNG, labelled by name."""
    pictures = cifar.tiles(DATA / "cifar10" / "test.webp")[:TILES]
    numbers = cifar.labels(DATA / "cifar10", "test")
    uploads = []
    for picture, number in zip(pictures, numbers, strict=False):
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "PNG")
        uploads.append(Upload(buffer.getvalue(), "image/png", cifar.CLASSES[number]))
    return uploads


def photos() -> list[Upload]:
    """JPEGs of phones and cameras up to 12 MP, filled up with ImageNet photos."""
    full = [p for p in sorted((DATA / "photos" / "full").glob("*.jpg")) if megapixels(p) <= 12.6]
    small = sorted((DATA / "imagenette" / "val").rglob("*.JPEG"))
    found = [*full, *small][:PHOTOS]
    return [Upload(path.read_bytes(), "image/jpeg", None) for path in found]


def megapixels(path: Path) -> float:
    with Image.open(path) as image:
        return image.width * image.height / 1e6


def decoded(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(ImageOps.exif_transpose(image))


@pytest.mark.skipif(not DATA.is_dir(), reason="the collection of real pictures is not here")
def test_real_pictures_come_back_equal_in_size_within_the_bound_and_repeatable() -> None:
    wanted = [*tiles(), *photos()]
    assert len(wanted) == TILES + PHOTOS
    with fresh_stack() as service:
        first, second = service.upload(wanted), service.upload(wanted)
        items = service.ended([*first, *second], 240)
        assert {item["state"] for item in items} == {"succeeded"}
        for upload, one, other in zip(wanted, first, second, strict=True):
            data = service.content(one)
            assert service.content(other) == data
            before, after = decoded(upload.data), decoded(data)
            assert after.shape == before.shape
            change = np.abs(after.astype(np.int16) - before)
            assert change.any()
            if upload.media_type == "image/png":
                assert change.max() <= EPSILON
        audit(service, Settings(data_dir=service.folder), [*first, *second])
