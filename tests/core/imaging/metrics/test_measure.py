from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from photoward.core.imaging import bands
from photoward.core.imaging.metrics.measure import Comparison
from photoward.core.imaging.noise import Enlarged, add
from tests.core.imaging.pictures import image, noise

if TYPE_CHECKING:
    from numpy.typing import NDArray


def slow_ssim(a: NDArray[Any], b: NDArray[Any]) -> float:
    """The definition, window by window."""

    def one(x: NDArray[Any], y: NDArray[Any]) -> float:
        spread = 1 if x.size > 1 else 0
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        both = ((x - x.mean()) * (y - y.mean())).sum() / max(x.size - 1, 1)
        variances = x.var(ddof=spread) + y.var(ddof=spread)
        top = (2 * x.mean() * y.mean() + c1) * (2 * both + c2)
        return float(top / ((x.mean() ** 2 + y.mean() ** 2 + c1) * (variances + c2)))

    height, width = a.shape
    if min(a.shape) < 8:
        return one(a, b)
    windows = [
        one(a[y : y + 8, x : x + 8], b[y : y + 8, x : x + 8])
        for y in range(0, height - 7, 4)
        for x in range(0, width - 7, 4)
    ]
    return sum(windows) / len(windows)


@given(st.integers(1, 60), st.integers(1, 60), st.sampled_from(["L", "RGB", "RGBA"]))
@settings(max_examples=30, deadline=None)
def test_all_figures_follow_their_definitions(width: int, height: int, mode: str) -> None:
    before = image(mode, (width, height), 1)
    layer = Enlarged(noise(), epsilon=8, size=before.size, grey=mode == "L")
    after = add(before, layer)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bands, "PIXELS", 500)  # several bands even of a small picture
        comparison = Comparison([(before, after)], layer, [after])
    colours = "L" if mode == "L" else "RGB"
    a, b = (np.asarray(one.convert(colours), dtype=float) for one in (before, after))
    distance = np.sort(abs(a - b).ravel())
    assert comparison.linf == distance[-1]
    assert comparison.percentile(0.999) == distance[math.ceil(0.999 * distance.size) - 1]
    if distance[-1]:
        expected = 10 * math.log10(255**2 / ((a - b) ** 2).mean())
        assert comparison.psnr_db == pytest.approx(expected)
    grey_a, grey_b = (np.asarray(one.convert("L"), dtype=float) for one in (before, after))
    assert comparison.ssim == pytest.approx(slow_ssim(grey_a, grey_b), abs=1e-9)


def test_survival_is_the_correlation_with_what_was_wanted() -> None:
    before = Image.new("RGB", (64, 64), (100, 120, 140))
    layer = Enlarged(noise(), epsilon=8, size=before.size, grey=False)
    noisy = np.asarray(add(before, layer), dtype=float)
    rough = noisy + np.random.default_rng(3).normal(0, 5, noisy.shape)
    after = Image.fromarray(np.clip(np.rint(rough), 0, 255).astype(np.uint8))
    wanted = noisy - np.asarray(before, dtype=float)
    expected = np.corrcoef((np.asarray(after) - np.asarray(before, float)).ravel(), wanted.ravel())
    survival = Comparison([(before, after)], layer, [after]).survival
    assert survival == pytest.approx(expected[0, 1], abs=1e-4)
    assert Comparison([(before, before)], layer, [before]).survival == 0.0


def test_what_the_encoder_adds_is_told_apart_from_the_noise() -> None:
    before = image(size=(64, 48))
    layer = Enlarged(noise(), epsilon=8, size=before.size, grey=False)
    wanted = add(before, layer)
    samples = np.array(wanted)
    samples[40, 3, 1] ^= 16
    written = Image.fromarray(samples)
    assert Comparison([(before, wanted)], layer, [wanted]).encoder_linf == 0
    told = Comparison([(before, wanted), (before, written)], layer, [wanted, wanted]).report()
    assert told["encoder_linf"] == 16


def test_bands_make_the_same_noise_as_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    source = image(size=(123, 217))
    layer = Enlarged(noise(32), epsilon=8, size=source.size, grey=False)
    monkeypatch.setattr(bands, "PIXELS", 1 << 30)
    whole = np.asarray(add(source, layer))
    monkeypatch.setattr(bands, "PIXELS", 1000)
    difference = abs(np.asarray(add(source, layer), dtype=int) - whole)
    # Bands begin at fractions of a grid point, which are rounded: a step at most, and seldom.
    assert difference.max() <= 1
    assert difference.mean() < 1e-3


def test_noise_grows_smoothly() -> None:
    flat = Image.new("L", (400, 400), 128)
    layer = Enlarged(noise(8), epsilon=8, size=flat.size, grey=True)
    steps = np.asarray(add(flat, layer), dtype=int) - 128
    assert abs(np.diff(steps, axis=0)).max() <= 2  # the grid's own steps reach 16
    assert abs(np.diff(steps, axis=1)).max() <= 2
    assert abs(steps).max() >= 3
