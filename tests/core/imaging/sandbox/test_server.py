"""Decoding, noise, encoding and verification, without the processes around them."""

from __future__ import annotations

import struct
import zlib
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps
from PIL.PngImagePlugin import PngInfo

from photoward.core.imaging.codec import encode, metadata
from photoward.core.imaging.noise import WIDEST, Enlarged
from photoward.core.imaging.sniff import Limits, sniff
from tests.core.imaging.pictures import Bench, bench, file, image, noise, reopened, smooth
from tests.core.imaging.test_sniff import cropped

FORMATS = ["jpeg", "png", "webp", "avif"]
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
ARTIST, COPYRIGHT, ORIENTATION, GPS, MAKER_NOTE = 0x013B, 0x8298, 0x0112, 0x8825, 0x927C


def protected(data: bytes, output: str, epsilon: int = 8, grid: int = 16) -> Image.Image:
    answer, finished = bench(data, grid).finish(noise(grid, epsilon), epsilon, output)
    assert "error" not in answer, answer
    return reopened(finished)


def written(kind: str) -> str:
    """What leaves when a file of this kind came."""
    return {"HEIF": "jpeg", "TIFF": "png"}.get(kind, kind.lower())


def change(before: Image.Image, after: Image.Image, mode: str) -> np.ndarray[Any, Any]:
    a, b = (np.asarray(one.convert(mode), dtype=int) for one in (before, after))
    difference: np.ndarray[Any, Any] = b - a
    return difference


@given(
    mode=st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA"]),
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    epsilon=st.integers(1, 16),
    seed=st.integers(0, 99),
    output=st.sampled_from(["png", "webp"]),
    grid=st.integers(1, 40),
)
@settings(max_examples=60, deadline=None)
def test_lossless_outputs_keep_size_opacity_greyness_and_bound(  # noqa: PLR0913  # one axis each
    *, mode: str, width: int, height: int, epsilon: int, seed: int, output: str, grid: int
) -> None:
    source = image(mode, (width, height), seed)
    data = file(source)
    wild = noise(grid, 100, seed)  # far beyond the bound: it is the server that clips
    answer, finished = bench(data, grid).finish(wild, epsilon, output)
    assert "error" not in answer, answer
    after = reopened(finished)
    assert after.size == (width, height)
    colours = change(source, after, "RGB")
    assert abs(colours).max() <= epsilon
    assert answer["measured"]["linf"] == abs(colours).max()
    if mode in ("LA", "RGBA"):
        clear = np.asarray(source.getchannel("A")) == 0
        assert not change(source, after, "RGBA")[..., 3].any()
        assert not colours[clear].any()
    if mode in ("1", "L", "LA"):
        rgb = np.asarray(after.convert("RGB"))
        assert (rgb == rgb[..., :1]).all()
        assert output == "webp" or after.mode == ("LA" if mode == "LA" else "L")
    assert bench(data, grid).finish(wild, epsilon, output)[1] == finished


@pytest.mark.slow
@given(
    mode=st.sampled_from(["L", "RGB", "RGBA"]),
    width=st.integers(1, 4096),
    height=st.integers(1, 4096),
    epsilon=st.integers(1, 16),
    output=st.sampled_from(FORMATS),
)
@settings(max_examples=25, deadline=None)
def test_any_size_leaves_as_it_came(
    *, mode: str, width: int, height: int, epsilon: int, output: str
) -> None:
    data = file(smooth((width, height), mode), compress_level=1)
    answer, finished = bench(data).finish(noise(epsilon=epsilon), epsilon, output)
    if output == "jpeg" and mode == "RGBA":
        assert answer["error"] == "unsupported_output"
        return
    assert "error" not in answer, answer
    assert reopened(finished).size == (width, height)
    if output == "png":
        assert answer["measured"]["linf"] <= epsilon


@pytest.mark.parametrize("output", ["png", "webp"])
@pytest.mark.parametrize(("width", "height"), [(16, 16), (90, 50)])
def test_without_a_bound_noise_reaches_as_far_as_it_can_be_held(
    output: str, width: int, height: int
) -> None:
    source = image("RGB", (width, height))
    answer, finished = bench(file(source)).finish(noise(epsilon=255), None, output)
    assert "error" not in answer, answer
    assert answer["measured"]["linf"] == WIDEST == 127
    colours = change(source, reopened(finished), "RGB")
    assert abs(colours).max() == 127
    if (width, height) == (16, 16):
        room = np.asarray(source, int)
        wanted = np.clip(noise(epsilon=255), -127, 127)
        assert (colours == np.clip(wanted, -room, 255 - room)).all()


@pytest.mark.parametrize("epsilon", [-1, 128])
def test_a_bound_that_noise_cannot_hold_is_no_bound(epsilon: int) -> None:
    with pytest.raises(ValueError, match="between 0 and 127"):
        Enlarged(noise(), epsilon=epsilon, size=(16, 16), grey=False)


@pytest.mark.parametrize("output", FORMATS)
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_mode_reaches_every_format_or_is_refused(mode: str, output: str) -> None:
    made = bench(file(image(mode, (64, 48))))
    answer, finished = made.finish(noise(), 8, output)
    if output == "jpeg" and mode in ("LA", "RGBA"):
        assert answer["error"] == "unsupported_output"
        return
    after = reopened(finished)
    assert after.format == output.upper()
    assert after.size == (64, 48)
    if mode in ("LA", "RGBA"):
        source = image(mode, (64, 48))
        assert not change(source, after, "RGBA")[..., 3].any()
    if mode in ("1", "L"):
        rgb = np.asarray(after.convert("RGB"), dtype=int)
        assert abs(rgb - rgb[..., :1]).max() <= 1  # WebP rounds a neutral colour by a step at most


@pytest.mark.parametrize("output", FORMATS)
def test_what_was_added_is_found_in_the_file(output: str) -> None:
    answer, _ = bench(file(smooth())).finish(noise(), 8, output)
    measured = answer["measured"]
    assert measured["survival"] > 0.9
    assert measured["psnr_db"] > 30
    assert 0.8 < measured["ssim"] < 1
    assert measured["linf"] >= measured["p99_9"] >= 7
    assert (measured["encoder_linf"] == 0) == (output in ("png", "webp"))


@pytest.mark.parametrize(
    ("mode", "least"), [("L", 0.7), ("RGB", 0.7), ("RGBA", 0.4), ("CMYK", 0.7)]
)
def test_what_a_host_leaves_of_coarse_noise_is_told(mode: str, least: float) -> None:
    output = "jpeg" if mode == "CMYK" else "png"
    kind = "JPEG" if mode == "CMYK" else "PNG"
    large = smooth((1600, 1200), mode)
    made = bench(file(large, kind))
    measured = made.finish(noise(), 8, output)[0]["measured"]
    assert least < measured["survival_hosted"] < measured["survival"]
    gone = bench(file(large, kind), 800).finish(noise(800), 8, output)[0]["measured"]
    assert gone["survival_hosted"] < measured["survival_hosted"] * 0.8


def test_lossless_and_unclipped_noise_survives_whole() -> None:
    grey = Image.new("RGB", (100, 80), (128, 90, 60))
    measured = bench(file(grey)).finish(noise(), 8, "png")[0]["measured"]
    assert measured["survival"] == 1.0
    assert measured["linf"] <= 8


def test_no_noise_changes_nothing() -> None:
    made = bench(file(image()))
    answer, finished = made.finish(np.zeros((16, 16, 3), np.int16), 8, "png")
    assert not change(image(), reopened(finished), "RGB").any()
    seen = answer["measured"].pop("seen")
    assert (seen["flip"], seen["flat_delta_e"], seen["low_chroma"]) == (0, 0, None)
    assert answer["measured"] == {
        "linf": 0,
        "encoder_linf": 0,
        "p99_9": 0,
        "psnr_db": None,
        "ssim": 1.0,
        "survival": None,
        "survival_hosted": None,
        "survival_at": {},
        "visibility": 0,
    }


def test_a_picture_of_the_grids_size_is_worked_on_as_it_is() -> None:
    source = image(size=(16, 16))
    made = bench(file(source))
    assert made.pixels == source.tobytes()
    steps = noise()
    after = reopened(made.finish(steps, 8, "png")[1])
    expected = np.clip(np.asarray(source, dtype=int) + steps, 0, 255)
    assert (np.asarray(after) == expected).all()


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_a_rendition_is_shrunk_before_it_is_protected(mode: str) -> None:
    source = smooth((300, 200), mode)
    header = sniff(file(source), Limits(), complete=True)
    assert header is not None
    made = Bench(asdict(header), file(source), size=(150, 100))
    answer, finished = made.finish(noise(), 8, "png")
    after = reopened(finished)
    small = source.resize((150, 100), Image.Resampling.LANCZOS)
    assert (after.size, after.mode) == ((150, 100), mode)
    assert 4 < abs(change(small, after, "RGB")).max() <= 8
    assert answer["measured"]["survival"] > 0.9
    assert "150 by 100" in made.opened["notes"][-1]


def test_inks_stay_inks_and_a_brighter_colour_gets_less_of_them() -> None:
    source = smooth((64, 48), "CMYK")
    data = file(source, "JPEG", quality=100)
    before = reopened(data)
    answer, finished = bench(data).finish(np.full((16, 16, 3), 8, np.int16), 8, "jpeg")
    after = reopened(finished)
    assert (after.mode, after.size) == ("CMYK", source.size)
    moved = np.asarray(after, int) - np.asarray(before, int)
    assert -9 < moved[..., :3].mean() < -6
    assert abs(moved[..., 3]).mean() < 2
    assert answer["measured"]["psnr_db"] > 29
    answer, _ = bench(data).finish(noise(), 8, "jpeg")
    assert answer["measured"]["survival"] > 0.8
    assert bench(data).finish(noise(), 8, "png")[0]["error"] == "unsupported_output"


def test_the_grid_shows_the_whole_picture_and_grey_through_its_holes() -> None:
    halves = Image.new("RGBA", (90, 30), (0, 0, 0, 0))
    halves.paste((200, 100, 0, 255), (45, 0, 90, 30))
    pixels = np.frombuffer(bench(file(halves)).pixels, np.uint8).reshape(16, 16, 3)
    assert (pixels[:, :6] == 128).all()
    assert (pixels[:, 10:] == (200, 100, 0)).all()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF", "TIFF"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_orientation_is_applied_and_reset(kind: str, turn: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = turn
    data = file(smooth((60, 40)), kind, exif=exif)
    upright = ImageOps.exif_transpose(reopened(data))
    after = protected(data, written(kind), epsilon=1)
    assert after.size == upright.size
    assert after.getexif().get(ORIENTATION, 1) == 1
    assert abs(change(upright, after, "RGB")).mean() < 4


def test_a_black_and_white_photo_in_colour_stays_black_and_white() -> None:
    data = file(smooth(mode="L").convert("RGB"), "JPEG", quality=90)
    made = bench(data)
    assert made.opened["grey"]
    rgb = np.asarray(reopened(made.finish(noise(), 8, "jpeg")[1]))
    assert (rgb == rgb[..., :1]).all()
    assert not bench(file(image())).opened["grey"]


def stamped() -> Image.Image:
    """Black-and-white, with a date in the corner."""
    photo = smooth(mode="L").convert("RGB")
    photo.paste((255, 140, 0), (290, 180, 312, 190))
    return photo


def paper() -> Image.Image:
    """A scan on yellowish paper."""
    photo = smooth(mode="L")
    return Image.merge("RGB", (photo, photo, photo.point(lambda value: max(value - 7, 0))))


def spread(picture: Image.Image) -> np.ndarray[Any, Any]:
    """How far the channels of each pixel lie apart."""
    rgb = np.asarray(picture.convert("RGB"), dtype=int)
    return np.asarray(rgb.max(axis=2) - rgb.min(axis=2))


@pytest.mark.parametrize(
    ("photo", "kind"),
    [
        (smooth(mode="L").convert("RGB"), "WEBP"),
        (smooth(mode="L").convert("RGB"), "AVIF"),
        (stamped(), "JPEG"),
        (stamped(), "PNG"),
        (paper(), "JPEG"),
        (paper(), "WEBP"),
    ],
)
def test_nearly_black_and_white_photos_get_no_hue(photo: Image.Image, kind: str) -> None:
    data = file(photo, kind, quality=90)
    after = spread(protected(data, kind.lower()))
    before = spread(reopened(data))
    assert after[before == 0].max(initial=0) <= 3
    assert abs(after - before)[before <= 8].max() <= (3 if kind == "PNG" else 6)


def test_a_coloured_thing_on_white_is_no_black_and_white_photo() -> None:
    photo = Image.new("RGB", (320, 200), "white")
    photo.paste(smooth((80, 40)), (100, 100))
    assert not bench(file(photo)).opened["grey"]
    assert bench(file(stamped())).opened["grey"]
    clear = smooth().convert("RGBA")
    clear.putalpha(0)
    clear.paste(stamped().crop((0, 0, 100, 50)), (0, 0))
    assert bench(file(clear)).opened["grey"]  # what nobody sees has no hue


def test_a_cropped_avif_is_cropped() -> None:
    after = protected(cropped(20, 1, 15, 1, -4, 1, 5, 2), "png", epsilon=1)
    whole = reopened(cropped(40, 1, 30, 1, 0, 1, 0, 1))
    assert after.size == (20, 15)
    assert abs(change(whole.crop((6, 10, 26, 25)), after, "RGB")).max() <= 1


def test_the_digest_is_of_what_is_seen() -> None:
    def digest(data: bytes) -> str:
        return str(bench(data).opened["digest"])

    source = image("RGBA")
    turned = Image.Exif()
    turned[ORIENTATION] = 6
    assert digest(file(source)) == digest(file(source, "WEBP", lossless=True, exact=True))
    assert digest(file(source, exif=turned)) == digest(file(source.rotate(-90, expand=True)))
    other = source.copy()
    other.putalpha(source.getchannel("A").point(lambda value: value // 2))
    assert digest(file(source)) != digest(file(other))


@pytest.mark.parametrize(("bits", "level"), [(1, 1), (2, 2), (4, 5)])
def test_a_transparent_grey_level_is_found_at_every_depth(bits: int, level: int) -> None:
    few = Image.fromarray(
        np.random.default_rng(0).integers(0, 1 << bits, (20, 20), dtype=np.uint8), "P"
    )
    few.putpalette(bytes(256 * 3))
    data = bytearray(file(few, bits=bits))
    # Pillow writes few bits only with a palette: make it a grey file with a transparent level.
    palette, size = data.index(b"PLTE") - 4, data.index(b"IDAT") - 4
    data[25] = 0
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    key = b"tRNS" + level.to_bytes(2, "big")
    data[palette:size] = struct.pack(">I", 2) + key + struct.pack(">I", zlib.crc32(key))
    after = protected(bytes(data), "png")
    assert after.mode == "LA"
    assert ((np.asarray(few) == level) == (np.asarray(after.getchannel("A")) == 0)).all()


def test_the_palette_goes_and_the_answer_says_so() -> None:
    assert "palette" in bench(file(image("P"))).opened["notes"][0].lower()
    assert bench(file(image())).opened["notes"] == []
    assert protected(file(image("P"), transparency=3), "png").mode == "RGBA"


def loaded_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[ARTIST], exif[COPYRIGHT] = "Ada", b"\xc2\xa9 Ada"
    exif.get_ifd(GPS)[1] = "N-SECRET"
    exif.get_ifd(0x8769)[MAKER_NOTE] = b"SERIAL-SECRET"
    exif.get_ifd(0x8769)[0xA431] = "BODY-SECRET"
    return exif


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
def test_rights_stay_and_secrets_go(kind: str) -> None:
    data = file(smooth(), kind, exif=loaded_exif(), icc_profile=SRGB, dpi=(300, 300))
    assert b"N-SECRET" in data
    _, finished = bench(data).finish(noise(), 8, written(kind))
    after = reopened(finished)
    assert b"SECRET" not in finished
    exif = after.getexif()
    assert exif[ARTIST] == "Ada"
    assert exif[COPYRIGHT].encode("latin-1") == b"\xc2\xa9 Ada"
    assert set(exif) <= {ARTIST, COPYRIGHT, 0x011A, 0x011B, 0x0128}
    assert after.info["icc_profile"] == SRGB
    if kind in ("JPEG", "PNG"):
        assert after.info["dpi"] == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
@pytest.mark.parametrize("group", ["date", "camera", "position"])
def test_what_is_asked_for_of_exif_is_kept_and_nothing_else(kind: str, group: str) -> None:
    exif = loaded_exif()
    exif[0x0132] = "2026:11-25 12:00:00"
    exif.get_ifd(GPS)[2] = (48.0, 8.0, 6.5)
    data = file(smooth(), kind, exif=exif)
    finished = bench(data).finish(noise(), 8, written(kind), metadata=(group,))[1]
    found = reopened(finished).getexif()
    assert found.get(0x0132) == ("2026:11-25 12:00:00" if group == "date" else None)
    assert (b"BODY-SECRET" in finished) == (group == "camera")
    position = {1: "N-SECRET", 2: (48.0, 8.0, 6.5)}
    assert found.get_ifd(GPS) == (position if group == "position" else {})
    assert b"SERIAL-SECRET" not in finished  # a maker's note may hold anything
    assert found[ARTIST] == "Ada"


@pytest.mark.parametrize("output", FORMATS)
@pytest.mark.parametrize("group", ["date", "camera", "position"])
def test_groups_are_kept_whatever_the_first_directory_holds(group: str, output: str) -> None:
    tags = {
        "date": (0x8769, 0x9003, "2026:11:25 12:00:00"),
        "camera": (0x8769, 0xA434, "A lens"),
        "position": (GPS, 3, "E"),
    }
    directory, tag, value = tags[group]
    exif = Image.Exif()
    exif.get_ifd(directory)[tag] = value
    exif[0x0131] = "SECRET"
    data = file(smooth((60, 40)), "JPEG", exif=exif)
    finished = bench(data).finish(noise(), 8, output, metadata=(group,))[1]
    assert reopened(finished).getexif().get_ifd(directory) == {tag: value}
    assert b"SECRET" not in finished


def dense(unit: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x011A], exif[0x011B], exif[0x0128] = 118.0, 59.0, unit
    return exif


@pytest.mark.parametrize("output", FORMATS)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
@pytest.mark.parametrize(("unit", "inch"), [(2, (118, 59)), (3, (299.72, 149.86)), (1, None)])
def test_the_density_that_exif_tells_stays(
    kind: str, output: str, unit: int, inch: tuple[float, float] | None
) -> None:
    data = file(smooth((60, 40)), kind, exif=dense(unit))
    after = reopened(bench(data).finish(noise(), 8, output)[1])
    if output in ("jpeg", "png"):
        told = after.info.get("dpi")
    else:
        exif = after.getexif()
        told = (exif[0x011A], exif[0x011B]) if exif.get(0x0128) == 2 else None
    assert told == (None if inch is None else pytest.approx(inch, abs=0.6))


def test_a_ratio_of_sides_is_no_density() -> None:
    data = bytearray(file(smooth((60, 40)), "JPEG", dpi=(1, 1)))
    data[data.index(b"JFIF") + 7] = 0  # the unit: none
    after = bench(bytes(data)).finish(noise(), 8, "jpeg")[1]
    assert after[after.index(b"JFIF") + 7] == 0
    assert "dpi" not in reopened(after).info


@given(st.sampled_from([b"II*\0", b"MM\0*"]), st.binary(max_size=200))
@settings(deadline=None)
def test_no_exif_block_hinders_what_is_kept(order: bytes, rest: bytes) -> None:
    picture = Image.new("RGB", (1, 1))
    picture.info["exif"] = b"Exif\0\0" + order + rest
    found = metadata.read(b"", "jpeg", picture, "RGB", [])
    found.exif(found.rights, density=True, groups=list(metadata.GROUPS))


def test_no_second_picture_comes_along() -> None:
    thumbnail = file(image(size=(16, 16), seed=9), "JPEG")
    exif = b"Exif\0\0" + b"II*\0\x08\0\0\0\0\0" + b"\x1a\0\0\0" + bytes(12) + thumbnail
    two = image(seed=2)
    data = file(smooth(), "MPO", save_all=True, append_images=[two], exif=exif) + thumbnail
    assert thumbnail[:40] in data
    finished = bench(data).finish(noise(), 8, "jpeg")[1]
    assert finished.count(b"\xff\xd8\xff") == 1
    assert not hasattr(reopened(finished), "mpinfo")


def test_a_broken_profile_is_left_out_and_said() -> None:
    for broken in (b"nonsense" * 40, SRGB[:200], SRGB[:-50]):
        made = bench(file(smooth(), "JPEG", icc_profile=broken))
        assert "profile" in made.opened["notes"][0]
        assert "icc_profile" not in reopened(made.finish(noise(), 8, "jpeg")[1]).info


@pytest.mark.parametrize("kind", ["GIF", "TIFF"])
def test_what_is_only_read_leaves_as_it_is_but_as_png(kind: str) -> None:
    source = image("P")
    data = file(source, kind)
    header = sniff(data, Limits(), complete=True)
    assert header is not None
    assert (header.format, header.output) == (kind.lower(), "png")
    after = protected(data, header.output)
    assert (after.format, after.size) == ("PNG", source.size)
    assert abs(change(source, after, "RGB")).max() <= 8


def test_a_tiffs_rights_and_profile_reach_the_png() -> None:
    said = {ARTIST: "Ada", COPYRIGHT: "by Ada", 271: "SECRET maker"}
    data = file(smooth(), "TIFF", tiffinfo=said, icc_profile=SRGB, dpi=(300, 300))
    finished = bench(data).finish(noise(), 8, "png")[1]
    assert b"SECRET" not in finished
    after = reopened(finished)
    assert dict(after.getexif()) == {ARTIST: "Ada", COPYRIGHT: "by Ada"}
    assert after.info["icc_profile"] == SRGB
    assert after.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_a_pngs_own_colour_space_stays() -> None:
    info = PngInfo()
    info.add(b"gAMA", (100_000).to_bytes(4, "big"))
    assert protected(file(image(), pnginfo=info), "png").info["gamma"] == 1.0


@pytest.mark.parametrize("progressive", [True, False])
def test_jpeg_keeps_its_kind_and_a_better_quality(progressive: bool) -> None:  # noqa: FBT001  # a parameter
    def sums(quality: int) -> int:
        data = file(smooth(), "JPEG", quality=quality, progressive=progressive)
        after: Any = protected(data, "jpeg")
        assert bool(after.info.get("progressive")) == progressive
        assert [part[1:3] for part in after.layer] == [(1, 1)] * 3  # chroma is not halved
        return sum(after.quantization[0])

    assert sums(50) == sums(95) > sums(97) > sums(100) == 64


def test_lossless_webp_stays_lossless_and_lossy_may_stay_lossy() -> None:
    assert (
        bench(file(image(), "WEBP", lossless=True)).finish(noise(), 8, "webp")[0]["measured"][
            "linf"
        ]
        <= 8
    )
    lossy = bench(file(smooth(), "WEBP", quality=90)).finish(noise(), 8, "webp")[1]
    assert lossy[12:16] == b"VP8 "


def test_a_broken_bound_is_not_published(monkeypatch: pytest.MonkeyPatch) -> None:
    made = bench(file(smooth()))
    wrong = file(image(size=smooth().size))
    monkeypatch.setattr(encode, "encode", lambda *_: wrong)
    for epsilon in (8, None):
        assert made.finish(noise(), epsilon, "png")[0]["error"] == "postcondition"


def test_a_changed_opacity_is_not_published(monkeypatch: pytest.MonkeyPatch) -> None:
    made = bench(file(image("RGBA")))
    opaque = file(image("RGBA").convert("RGB"))
    monkeypatch.setattr(encode, "encode", lambda *_: opaque)
    assert made.finish(noise(), 8, "png")[0]["error"] == "postcondition"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF", "GIF", "TIFF"])
def test_a_file_cut_short_is_refused(kind: str) -> None:
    data = file(image(size=(200, 200)), kind)
    header = sniff(data, Limits(), complete=True)
    assert header is not None
    answer = Bench(asdict(header), data[: len(data) * 2 // 3]).opened
    assert answer["error"] in ("truncated", "corrupt")


def test_a_file_of_another_size_than_its_header_is_refused() -> None:
    header = sniff(file(image(size=(41, 30))), Limits(), complete=True)
    assert header is not None
    assert Bench(asdict(header), file(image())).opened["error"] == "corrupt"
