"""Files that were once refused or changed wrongly, from outside the repository.

What is right for each stands in a table beside them. Without them the tests skip; small files of
the same kinds are made in ``test_colour``, ``test_rights``, ``test_desk`` and ``test_sniff``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from photoward.core.imaging.sandbox.pool import ImagingPool
from photoward.core.imaging.sniff import Limits, sniff
from tests.core.imaging import viewer
from tests.core.imaging.pictures import noise, reopened
from tests.core.imaging.test_files import SHARED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

    from photoward.core.imaging.sandbox.pool import Finished, Opened

FILES = SHARED / "cases" / "files"
FORMATS = ("jpeg", "png", "webp", "avif")
SIDE = 20_000


@pytest.fixture(scope="module")
def pool() -> Iterator[ImagingPool]:
    with ImagingPool(1, 1_800, 60, Limits(max_side=SIDE)) as opened:
        yield opened


def original(name: str) -> bytes:
    if not (FILES / name).exists():
        pytest.skip(f"{FILES}/{name} is not there")
    return (FILES / name).read_bytes()


def protected(
    pool: ImagingPool, name: str, output: str | None = None
) -> tuple[bytes, Opened, Finished]:
    """At the mildest preset."""
    data = original(name)
    opened = pool.open(data, grid=64)
    done = pool.finish(opened, noise(64, 2), epsilon=2, output_format=output)
    pool.close(opened)
    return data, opened, done


@pytest.mark.parametrize("output", [None, *FORMATS])
@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("A1_p3_nclx.avif", 3),
        ("A4_rec2020_nclx.avif", 3),
        ("R_wcg_rec2020.avif", 3),
        ("R_icc_1.6MB.jpg", 5),
        ("B2_p3_icc_trailing_pad.jpg", 3),
        ("B2b_p3_icc_size_short.jpg", 3),
        ("R_chrm_swap.png", 3),
    ],
)
def test_colours_stay(pool: ImagingPool, name: str, most: float, output: str | None) -> None:
    data, _, done = protected(pool, name, output)
    assert viewer.difference(data, done.data) <= most


@pytest.mark.parametrize("name", ["R_icc_1.6MB.jpg", "B1_cmyk_xcmyk_1.2MB.jpg"])
def test_large_profiles_stay(pool: ImagingPool, name: str) -> None:
    data, _, done = protected(pool, name)
    assert reopened(done.data).info["icc_profile"] == reopened(data).info["icc_profile"]
    assert viewer.difference(data, done.data) <= 5


@pytest.mark.parametrize("name", ["A6_r03_adobergb_no_icc.jpg", "R_r03_nikon.jpg"])
def test_adobe_rgb_gets_a_profile(pool: ImagingPool, name: str) -> None:
    _, opened, done = protected(pool, name)
    assert "icc_profile" in reopened(done.data).info
    assert "Adobe RGB" in opened.notes[0]


def test_a_panorama_stays_one(pool: ImagingPool) -> None:
    _, _, done = protected(pool, "D4_gpano.jpg")
    assert b"ProjectionType>equirectangular" in reopened(done.data).info["xmp"]


@pytest.mark.parametrize(("name", "word"), [("R_ultrahdr.jpg", "gain map"), ("R_c2pa.jpg", "C2PA")])
def test_what_goes_is_told(pool: ImagingPool, name: str, word: str) -> None:
    assert word in str(protected(pool, name)[1].notes)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("D7_png_text_rights.png", ["Jane Doe", "(c) 2024 Jane Doe"]),
        ("D8_rights.avif", ["Jäne Döe 写真家", "© 2024 Jäne Döe"]),
        ("D8_rights.webp", ["Jäne Döe 写真家", "© 2024 Jäne Döe"]),
    ],
)
@pytest.mark.parametrize("output", [None, *FORMATS])
def test_names_stay(pool: ImagingPool, name: str, words: list[str], output: str | None) -> None:
    done = protected(pool, name, output)[2].data
    exif = reopened(done).getexif()
    assert [exif[tag].encode("latin-1").decode() for tag in (0x013B, 0x8298)] == words


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("E1_pixel8pro_8160x6144.jpg", (8160, 6144)),
        ("E5_clap.avif", (600, 400)),
        ("R_clap.avif", (180, 100)),
        ("E9b_pano_20000x400.jpg", (SIDE, 400)),
        ("R_jpeg_junk.jpg", (1024, 768)),
        ("R_jpeg_ff00.jpg", (300, 225)),
        ("R_jpeg_ps200.jpg", (200, 200)),
        ("R_jpeg_app14.jpg", (100, 100)),
        ("R_child_ifd.tiff", (32, 32)),
        ("F3_white_product.jpg", (600, 600)),
        ("F4_sky.jpg", (900, 700)),
    ],
)
def test_nothing_is_refused_falsely(pool: ImagingPool, name: str, size: tuple[int, int]) -> None:
    _, opened, done = protected(pool, name)
    assert (opened.width, opened.height) == reopened(done.data).size == size


def test_phones_of_fifty_megapixels_are_let_in_by_default() -> None:
    assert sniff(original("E1_pixel8pro_8160x6144.jpg"), Limits(), complete=True) is not None


def test_a_crop_is_the_one_that_is_meant(pool: ImagingPool) -> None:
    data, _, done = protected(pool, "E5_clap.avif", "png")
    whole = np.asarray(reopened(data).crop((0, 0, 600, 400)), int)
    assert abs(np.asarray(reopened(done.data), int) - whole).max() <= 2


@pytest.mark.parametrize("name", ["F1c_bw.avif", "F2_bw_datestamp.jpg"])
def test_black_and_white_stays_so(pool: ImagingPool, name: str) -> None:
    data, _, done = protected(pool, name)
    before, after = (_spread(reopened(one)) for one in (data, done.data))
    assert after[before == 0].max() <= 3


def _spread(picture: Image.Image) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    rgb = np.asarray(picture.convert("RGB"), dtype=np.int64)
    return np.asarray(rgb.max(axis=2) - rgb.min(axis=2))
