from __future__ import annotations

import importlib.resources
from typing import TYPE_CHECKING

import flip_evaluator
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import color

from photoward.core.imaging.metrics import cielab
from photoward.core.imaging.metrics.visibility import EDGE_DELTA_E, EDGE_FLIP, seen
from tests.core.imaging.pictures import image

if TYPE_CHECKING:
    from numpy.typing import NDArray


def coffee() -> Image.Image:
    """600 x 400: smooth table, sharp edges, texture."""
    file = importlib.resources.files("skimage") / "data" / "coffee.png"
    with file.open("rb") as stream, Image.open(stream) as photo:
        return photo.convert("RGB")


def added(photo: Image.Image, change: NDArray[np.float64]) -> Image.Image:
    samples = np.asarray(photo, float) + change
    return Image.fromarray(np.clip(np.rint(samples), 0, 255).astype(np.uint8))


def clouds(photo: Image.Image, cells: int, strength: float, seed: int = 0) -> Image.Image:
    """The photo with a coloured change of so many cells a side and so much r.m.s."""
    coarse = np.random.default_rng(seed).normal(128, 40, (cells, cells, 3)).clip(0, 255)
    layer = Image.fromarray(coarse.astype(np.uint8)).resize(photo.size, Image.Resampling.BICUBIC)
    change = np.asarray(layer, float) - 128
    return added(photo, change * strength / change.std())


def sky(size: tuple[int, int] = (600, 400)) -> Image.Image:
    """A smooth upper half over texture."""
    rows = np.linspace(150, 220, size[1])[:, None, None]
    samples = np.broadcast_to(rows, (size[1], size[0], 3)) * np.array([0.8, 0.9, 1.1])
    rough = np.random.default_rng(5).normal(0, 25, (size[1] // 2, size[0], 1))
    samples = samples.copy()
    samples[size[1] // 2 :] += rough[: size[1] - size[1] // 2]
    return added(Image.new("RGB", size), samples)


@pytest.mark.parametrize(("cells", "strength"), [(8, 4.0), (40, 4.0), (128, 8.0), (128, 2.0)])
def test_flip_is_the_published_one(cells: int, strength: float) -> None:
    before = coffee().resize((1200, 800), Image.Resampling.BICUBIC)
    after = clouds(before, cells, strength)
    pair = [np.asarray(one, np.float32) / 255 for one in (before, after)]
    _, published, _ = flip_evaluator.evaluate(*pair, "LDR", applyMagma=False)
    assert seen(before, after).flip == pytest.approx(published, abs=0.002)


def test_colour_differences_are_the_published_ones() -> None:
    random = np.random.default_rng(1)
    one, other = random.uniform([[0], [-90], [-90]], [[100], [90], [90]], (2, 3, 5000))
    near = one + random.normal(0, 2, one.shape)
    grey = one * [[1], [0], [0]]
    for a, b in ((one, other), (one, near), (grey, one), (grey, 0.9 * grey)):
        expected = color.deltaE_ciede2000(a.T, b.T)
        found = cielab.delta_e(a.astype(np.float32), b.astype(np.float32))
        assert found == pytest.approx(expected, abs=2e-3)
    samples = random.random((3, 2000))
    found = cielab.lab(cielab.TO_XYZ @ cielab.linear(samples)).T
    assert found == pytest.approx(color.rgb2lab(samples.T), abs=0.1)


def test_what_did_not_change_is_not_seen() -> None:
    report = seen(coffee(), coffee()).report()
    worst = {"flip": 0.0, "delta_e": 0.0, "chroma": 0.0, "luma": 0.0}
    nothing = {"flip": 0.0, "flat_delta_e": 0.0, "low_chroma": None, "low_luma": None}
    assert report == {"visibility": 0.0, "seen": {**nothing, "worst": worst}}


def test_clouds_in_a_sky_are_told_from_grain() -> None:
    coarse, fine = (seen(sky(), clouds(sky(), cells, 4.0)) for cells in (10, 250))
    assert coarse.flat_delta_e > 1.8 * fine.flat_delta_e
    assert coarse.flip > fine.flip
    for share, other in ((coarse.low_chroma, fine.low_chroma), (coarse.low_luma, fine.low_luma)):
        assert share is not None
        assert other is not None
        assert other < 0.15
        assert share > 0.95
    assert coarse.visibility > fine.visibility


@pytest.mark.parametrize(("cycles", "low"), [(23, True), (25, False)])
def test_twenty_four_cycles_of_the_picture_divide_slow_from_fast(cycles: int, *, low: bool) -> None:
    wave = np.cos(2 * np.pi * cycles * (np.arange(1000) + 0.5) / 1000) * 9
    grey = Image.new("RGB", (1000, 300), (128, 128, 128))
    share = seen(grey, added(grey, np.broadcast_to(wave[:, None], (300, 1000, 3)))).low_luma
    assert share == pytest.approx(float(low), abs=0.02)


def test_a_tint_of_the_sky_counts_and_the_same_tint_of_the_texture_does_not() -> None:
    tint = np.zeros((400, 600, 3))
    tint[:150] = (0, 0, 9)
    assert seen(sky(), added(sky(), tint)).flat_delta_e > 2
    assert seen(sky(), added(sky(), tint[::-1])).flat_delta_e < 0.2


def test_the_worst_place_is_found_wherever_it_is() -> None:
    before = coffee()
    for x, y in ((0, 0), (560, 370), (570, 0), (300, 200)):
        stain = np.zeros((400, 600, 3))
        stain[y : y + 40, x : x + 40] = 12
        found = seen(before, added(before, stain))
        assert found.flip < 0.01
        assert found.worst["flip"] > 0.04
        assert found.worst["luma"] > 1


def test_visibility_is_the_larger_of_the_two_distances() -> None:
    found = seen(sky(), clouds(sky(), 12, 3.0))
    distances = found.flip / EDGE_FLIP, found.flat_delta_e / EDGE_DELTA_E
    assert found.visibility == max(distances)
    assert found.report()["visibility"] == round(max(distances), 2)


def test_a_large_picture_is_judged_as_a_screen_shows_it() -> None:
    small = sky((1200, 800))
    large = [
        one.resize((3600, 2400), Image.Resampling.BICUBIC)
        for one in (small, clouds(small, 12, 4.0))
    ]
    ours, theirs = seen(small, clouds(small, 12, 4.0)), seen(large[0], large[1])
    assert theirs.flip == pytest.approx(ours.flip, rel=0.05)
    assert theirs.low_chroma == pytest.approx(ours.low_chroma, abs=0.02)


def test_grey_has_no_chroma() -> None:
    before = sky().convert("L")
    after = Image.fromarray(np.asarray(before) + np.uint8(3))
    found = seen(before, after)
    assert found.low_chroma is None
    assert found.report()["seen"]["worst"]["chroma"] == 0


def test_what_is_transparent_is_not_seen() -> None:
    before, after = (Image.new("RGBA", (200, 100), (red, 100, 100, 0)) for red in (0, 200))
    assert seen(before, after).visibility == 0


@given(
    mode=st.sampled_from(["L", "LA", "RGB", "RGBA", "CMYK"]),
    width=st.integers(1, 70),
    height=st.integers(1, 70),
    seed=st.integers(0, 9),
)
@settings(max_examples=40, deadline=None)
def test_any_size_and_mode_has_figures(*, mode: str, width: int, height: int, seed: int) -> None:
    found = seen(image(mode, (width, height), seed), image(mode, (width, height), seed + 1))
    figures = [found.flip, found.flat_delta_e, *found.worst.values()]
    assert np.isfinite(figures).all()
    assert found.worst["flip"] >= found.flip - 1e-6
    for share in (found.low_chroma, found.low_luma):
        assert share is None or 0 <= share <= 1.001


@pytest.mark.parametrize("size", [(2400, 9), (5, 3000), (1201, 1199)])
def test_long_and_odd_pictures_have_figures(size: tuple[int, int]) -> None:
    before = image("RGB", (8, 8)).resize(size, Image.Resampling.BICUBIC)
    assert seen(before, clouds(before, 12, 3.0)).visibility > 0.5
