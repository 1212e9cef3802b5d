"""Colours stay what a colour-managed viewer shows of the original, or the format is refused."""

from __future__ import annotations

import contextlib
import io
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from photoward.core.imaging.codec import icc_profile
from photoward.core.imaging.formats import heif, png
from photoward.core.imaging.formats.window import Window
from photoward.core.imaging.header import CodePoints
from tests.core.imaging import viewer
from tests.core.imaging.pictures import bench, file, noise, reopened, smooth

SIZE = (96, 64)
FORMATS = ["jpeg", "png", "webp", "avif"]
DISPLAY_P3 = icc_profile.Primaries((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
P3 = icc_profile.made("P3", icc_profile.curve(2.2), DISPLAY_P3)
DARK = icc_profile.made("dark", icc_profile.curve(1.2), None)
"""Greys that look quite unlike those of sRGB."""
P3_POINTS, BT2020, PQ, UNKNOWN = (12, 13), (9, 14), (9, 16), (99, 13)


def with_points(kind: str, primaries: int, transfer: int, full: int = 1) -> bytes:
    """A file that tells its colours by numbers."""
    if kind == "PNG":
        info = PngInfo()
        info.add(b"gAMA", (45_455).to_bytes(4, "big"))  # for viewers that know no cICP
        info.add(b"cICP", bytes([primaries, transfer, 0, full]))
        return file(smooth(SIZE), pnginfo=info)
    data = file(smooth(SIZE), kind, quality=98)
    at = data.index(b"colrnclx") + 8
    return data[:at] + struct.pack(">HH", primaries, transfer) + data[at + 4 :]


def finished(data: bytes, output: str) -> tuple[dict[str, Any], bytes]:
    return bench(data).finish(noise(epsilon=1), 1, output)


def shown(data: bytes, output: str) -> float:
    """How far the output's colours lie from the original's, dE."""
    answer, after = finished(data, output)
    assert "error" not in answer, answer
    return viewer.difference(data, after)


@pytest.mark.parametrize("output", FORMATS)
@pytest.mark.parametrize("kind", ["PNG", "AVIF", "HEIF"])
@pytest.mark.parametrize("points", [P3_POINTS, BT2020, (9, 8), (1, 4)])
def test_code_points_stay_or_become_a_profile(
    kind: str, points: tuple[int, int], output: str
) -> None:
    data = with_points(kind, *points)
    assert shown(data, output) < 2


@pytest.mark.parametrize(
    ("kind", "points"), [("PNG", PQ), ("AVIF", PQ), ("HEIF", PQ), ("PNG", UNKNOWN)]
)
def test_what_no_profile_says_keeps_its_code_points_or_is_refused(
    kind: str, points: tuple[int, int]
) -> None:
    data = with_points(kind, *points)
    for output in ("jpeg", "webp"):
        answer, _ = finished(data, output)
        assert (answer["error"], answer["field"]) == ("unsupported_output", "output_format")
        assert str(points) in answer["detail"]
    assert png.code_points(Window(finished(data, "png")[1])) == points + (True,)  # noqa: RUF005  # a named tuple
    assert heif.code_points(Window(finished(data, "avif")[1])) == CodePoints(*points)


def test_numbers_of_a_narrow_range_stay_in_a_png() -> None:
    data = with_points("PNG", *P3_POINTS, full=0)
    assert png.code_points(Window(finished(data, "png")[1])) == CodePoints(*P3_POINTS, full=False)
    for output in ("jpeg", "webp", "avif"):
        assert finished(data, output)[0]["error"] == "unsupported_output"


def test_numbers_that_say_nothing_leave_nothing() -> None:
    after = reopened(finished(with_points("AVIF", 2, 2), "png")[1])
    assert "icc_profile" not in after.info
    assert finished(with_points("AVIF", 1, 13), "jpeg")[1].count(b"ICC_PROFILE") == 0


def test_a_tiles_numbers_are_those_of_the_grid() -> None:
    data = with_points("AVIF", *P3_POINTS)
    # The primary item loses its own colours, as a grid may: every other property is the file's.
    at = data.index(b"ipma") + 15
    entry = data.index(bytes([0x84]), at)  # the fourth property, essential
    hidden = data[:entry] + bytes([1]) + data[entry + 1 :]
    assert heif.code_points(Window(hidden)) == CodePoints(*P3_POINTS)


@pytest.mark.parametrize("output", FORMATS)
@pytest.mark.parametrize("length", ["trailing", "declared too small", "declared too large"])
def test_a_profile_whose_length_is_wrong_is_mended(length: str, output: str) -> None:
    def sized(number: int, data: bytes) -> bytes:
        return number.to_bytes(4, "big") + data[4:]

    broken = {
        "trailing": P3 + b"\0\0\0",
        "declared too small": sized(len(P3) - 40, P3),
        "declared too large": sized(len(P3) + 70_000, P3),
    }[length]
    data = file(smooth(SIZE), "JPEG", quality=98, icc_profile=broken)
    assert bench(data).opened["notes"] == []
    after = finished(data, output)[1]
    found = reopened(after).info["icc_profile"]
    assert len(found) == int.from_bytes(found[:4], "big")
    sound = file(smooth(SIZE), "JPEG", quality=98, icc_profile=P3)
    assert viewer.difference(sound, after) < 2
    if length == "trailing":
        assert found == P3


@pytest.mark.parametrize("output", FORMATS)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_a_profile_of_megabytes_stays(kind: str, output: str) -> None:
    large = (3 << 20).to_bytes(4, "big") + P3[4:].ljust((3 << 20) - 4, b"\1")
    after = finished(file(smooth(SIZE), kind, icc_profile=large), output)[1]
    assert reopened(after).info["icc_profile"] == large


@pytest.mark.parametrize("output", FORMATS)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "AVIF"])
def test_the_greys_of_a_profile_stay(kind: str, output: str) -> None:
    options = {"subsampling": "4:0:0"} if kind == "AVIF" else {}
    data = file(smooth(SIZE, "L"), kind, icc_profile=DARK, **options)
    assert shown(data, output) < 2


@pytest.mark.parametrize("output", ["png", "webp", "avif"])
def test_the_greys_of_a_profile_stay_beside_opacity(output: str) -> None:
    data = file(smooth(SIZE, "L").convert("LA"), icc_profile=DARK)
    assert shown(data, output) < 2


@pytest.mark.parametrize("output", FORMATS)
def test_a_grey_photo_with_a_profile_of_colour_shows_the_same(output: str) -> None:
    bright = icc_profile.made("bright", icc_profile.curve(1.2), DISPLAY_P3)
    assert shown(file(smooth(SIZE, "L"), "JPEG", icc_profile=bright), output) < 2


def test_greys_of_tables_are_refused_where_they_have_no_place() -> None:
    tabled = DARK.replace(b"kTRC", b"A2B0")
    data = file(smooth(SIZE, "L"), "JPEG", icc_profile=tabled)
    assert reopened(finished(data, "jpeg")[1]).info["icc_profile"] == tabled
    assert finished(data, "webp")[0]["error"] == "unsupported_output"


@pytest.mark.parametrize("output", FORMATS)
@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_a_pngs_own_words_outlive_a_change_of_format(mode: str, output: str) -> None:
    info = PngInfo()
    info.add(b"gAMA", (80_000).to_bytes(4, "big"))
    swapped = (31_270, 32_900, 30_000, 60_000, 64_000, 33_000, 15_000, 6_000)
    info.add(b"cHRM", struct.pack(">8I", *swapped))
    image = smooth(SIZE).convert(mode)
    assert shown(file(image, pnginfo=info), output) < 2


def test_nonsense_in_a_pngs_words_does_no_harm() -> None:
    for numbers in ((0,) * 8, (31_270, 32_900) * 4, (2**32 - 1,) * 8):
        info = PngInfo()
        info.add(b"gAMA", bytes(4))
        info.add(b"cHRM", struct.pack(f">{len(numbers)}I", *numbers))
        data = file(smooth(SIZE), pnginfo=info)
        for output in FORMATS:
            assert "error" not in finished(data, output)[0]


def r03(space: int = 0xFFFF, index: str = "R03") -> Image.Exif:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA001] = space
    exif.get_ifd(0xA005)[1] = index
    exif[0x0112] = 1
    exif.get_ifd(0x8769)[0xA005] = exif.get_ifd(0xA005)
    return exif


@pytest.mark.parametrize("output", FORMATS)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_adobe_rgb_that_only_exif_tells_becomes_a_profile(kind: str, output: str) -> None:
    data = file(smooth(SIZE), kind, exif=r03())
    answer = bench(data).opened
    assert "Adobe RGB" in answer["notes"][0]
    after = reopened(finished(data, output)[1])
    found = ImageCms.getOpenProfile(io.BytesIO(after.info["icc_profile"])).profile
    assert found.green_colorant is not None
    assert found.chromatic_adaptation is not None
    xyz = np.linalg.solve(found.chromatic_adaptation[0], found.green_colorant[0])
    assert xyz[:2] / xyz.sum() == pytest.approx((0.21, 0.71), abs=0.002)


def test_srgb_stays_srgb_whatever_the_index_says() -> None:
    for exif in (r03(space=1), r03(index="R98")):
        data = file(smooth(SIZE), "JPEG", exif=exif)
        assert bench(data).opened["notes"] == []
        assert "icc_profile" not in reopened(finished(data, "jpeg")[1]).info


@given(
    changes=st.lists(st.tuples(st.integers(0, len(P3) - 1), st.integers(0, 255)), max_size=8),
    length=st.integers(0, len(P3) + 9),
)
@settings(max_examples=300, deadline=None)
def test_no_profile_does_harm(changes: list[tuple[int, int]], length: int) -> None:
    mutant = bytearray(P3)
    for at, value in changes:
        mutant[at] = value
    found = icc_profile.mended(bytes(mutant[:length].ljust(length, b"\0")))
    assert len(found) in (0, int.from_bytes(found[:4], "big"))
    with contextlib.suppress(ValueError):
        icc_profile.recast(found, None)


def test_a_table_that_reaches_beyond_all_numbers_is_none() -> None:
    beyond = P3[:136] + b"\xff" * 8 + P3[144:]
    assert icc_profile.mended(beyond + b"\0") == b""


def test_a_profile_of_other_samples_is_left_out_and_said() -> None:
    data = file(smooth(SIZE), "JPEG", icc_profile=DARK)
    assert "profile" in bench(data).opened["notes"][0]
    assert "icc_profile" not in reopened(finished(data, "jpeg")[1]).info
