"""How good a lossy file is: as asked, or as the input was; and what a rendition shows."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.JpegImagePlugin import get_sampling

from photoward.core.imaging.sniff import Limits, sniff
from tests.core.imaging.pictures import Bench, bench, file, image, noise, reopened, smooth

SIZE = (320, 200)
SAMPLINGS = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}


def finished(data: bytes, output: str, quality: int | str | None) -> tuple[dict[str, Any], bytes]:
    answer, made = bench(data, 64).finish(noise(64), 8, output, quality=quality)
    assert "error" not in answer, answer
    return answer["measured"], made


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("quality", [60, 82, 98])
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_the_same_is_the_inputs_own_tables(mode: str, quality: int, sampling: str) -> None:
    photo = smooth(SIZE, mode)
    data = file(photo, "JPEG", quality=quality, subsampling=sampling)
    _, made = finished(data, "jpeg", "same")
    before, after = reopened(data), reopened(made)
    assert after.quantization == before.quantization  # type: ignore[attr-defined]
    if mode == "RGB":
        assert get_sampling(after) == SAMPLINGS[sampling]
    usual = finished(data, "jpeg", None)[1]
    assert quality > 90 or len(made) < len(usual)


def test_a_coarse_file_keeps_its_coarse_tables() -> None:
    steps = [[255] * 64, [255] * 64]
    data = file(smooth(SIZE), "JPEG", qtables=steps)
    after = reopened(finished(data, "jpeg", "same")[1])
    assert list(after.quantization[0]) == [255] * 64  # type: ignore[attr-defined]


@pytest.mark.parametrize("output", ["jpeg", "webp", "avif"])
def test_less_quality_is_fewer_bytes_and_less_of_the_noise(output: str) -> None:
    data = file(smooth(SIZE), "JPEG", quality=95)
    made = [finished(data, output, quality) for quality in (50, 82, None)]
    sizes = [len(one) for _, one in made]
    survival = [measured["survival"] for measured, _ in made]
    assert sizes == sorted(sizes)
    assert sizes[0] < 0.7 * sizes[-1]
    assert survival == sorted(survival)
    assert survival[0] < survival[-1] - 0.02


@pytest.mark.parametrize("quality", [50, "same"])
def test_what_is_lossless_stays_so(quality: int | str) -> None:
    for kind, output, options in (("PNG", "png", {}), ("WEBP", "webp", {"lossless": True})):
        measured, _ = finished(file(smooth(SIZE), kind, **options), output, quality)
        assert measured["encoder_linf"] == 0


def test_of_no_jpeg_the_same_is_the_usual() -> None:
    data = file(smooth(SIZE))
    assert finished(data, "jpeg", "same")[1] == finished(data, "jpeg", None)[1]


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_crop_shows_its_part_of_the_photo(mode: str) -> None:
    photo, box = image(mode, SIZE), (100.0, 20.0, 260.0, 180.0)
    data = file(photo)
    header = sniff(data, Limits(), complete=True)
    assert header is not None
    cropped = Bench(asdict(header), data, size=(80, 80), box=box)
    assert cropped.opened["notes"] == ["It was cropped to 80 by 80 pixels, as asked."]
    still = np.zeros((16, 16, 3), np.int16)
    made = cropped.finish(still, 8, "png")[1]
    wanted = photo.resize((80, 80), Image.Resampling.LANCZOS, box)
    assert np.array_equal(np.asarray(reopened(made)), np.asarray(wanted))
