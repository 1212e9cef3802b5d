from __future__ import annotations

import contextlib
import struct
import subprocess
import sys
import time
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from photoward.core.errors import BadInput
from photoward.core.imaging import sniff as sniffing
from photoward.core.imaging.formats import exif
from photoward.core.imaging.sniff import Header, Limits, sniff
from tests.core.imaging.pictures import file, image, reopened

ORIENTATION = 0x0112


def oriented(turn: int) -> Image.Exif:
    block = Image.Exif()
    block[ORIENTATION] = turn
    return block


def whole(data: bytes, limits: Limits | None = None) -> Header:
    header = sniff(data, limits or Limits(), complete=True)
    assert header is not None
    return header


def refusal(data: bytes, limits: Limits | None = None, *, complete: bool = True) -> str:
    with pytest.raises(BadInput) as caught:
        sniff(data, limits or Limits(), complete=complete)
    return caught.value.code


def chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def segment(marker: int, length: int) -> bytes:
    return bytes([0xFF, marker]) + (length + 2).to_bytes(2, "big") + bytes(length)


GIF = file(image("P"), "GIF")
SAMPLES = {
    "jpeg": (file(image(), "JPEG"), "rgb", False),
    "jpeg progressive": (file(image(), "JPEG", progressive=True), "rgb", False),
    "jpeg grey": (file(image("L"), "JPEG"), "grey", False),
    "jpeg of inks": (file(image("CMYK"), "JPEG"), "cmyk", False),
    "png": (file(image()), "rgb", False),
    "png alpha": (file(image("RGBA")), "rgb", True),
    "png grey": (file(image("L")), "grey", False),
    "png grey alpha": (file(image("LA")), "grey", True),
    "png palette": (file(image("P")), "palette", False),
    "png palette with a transparent entry": (file(image("P"), transparency=2), "palette", True),
    "png with a transparent colour": (file(image(), transparency=(1, 2, 3)), "rgb", True),
    "png of one bit": (file(image("1")), "grey", False),
    "webp": (file(image(), "WEBP"), "rgb", False),
    "webp alpha": (file(image("RGBA"), "WEBP"), "rgb", True),
    "webp lossless": (file(image(), "WEBP", lossless=True), "rgb", False),
    "webp lossless alpha": (file(image("RGBA"), "WEBP", lossless=True), "rgb", True),
    "avif": (file(image(), "AVIF"), "rgb", False),
    "avif alpha": (file(image("RGBA"), "AVIF"), "rgb", True),
    "avif grey": (file(image("L"), "AVIF"), "grey", False),
    "heic": (file(image(), "HEIF"), "rgb", False),
    "heic alpha": (file(image("RGBA"), "HEIF"), "rgb", True),
    "gif": (GIF, "palette", False),
    "gif with a transparent entry": (file(image("P"), "GIF", transparency=2), "palette", True),
    "tiff": (file(image(), "TIFF"), "rgb", False),
    "tiff compressed": (file(image(), "TIFF", compression="tiff_lzw"), "rgb", False),
    "tiff alpha": (file(image("RGBA"), "TIFF"), "rgb", True),
    "tiff grey": (file(image("L"), "TIFF"), "grey", False),
    "tiff palette": (file(image("P"), "TIFF"), "palette", False),
    "tiff of one bit": (file(image("1"), "TIFF"), "grey", False),
}
FILES = [data for data, _, _ in SAMPLES.values()]
FRAMES = [image(seed=1), image(seed=2)]
FOREIGN = {
    "big tiff": b"II+\0" + bytes(30),
    "bmp": file(image(), "BMP"),
    "jpeg 2000": file(image(), "JPEG2000"),
    "icon": file(image(size=(32, 32)), "ICO"),
    "pdf": b"%PDF-1.7 and so on and so on",
    "svg": b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>',
    "video": b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(100),
    "jpeg xl": b"\xff\x0a" + bytes(30),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_header_says_what_the_file_is(name: str) -> None:
    data, mode, alpha = SAMPLES[name]
    header = whole(data)
    assert header.format == name.split(maxsplit=1)[0]
    assert (header.width, header.height) == (40, 30)
    assert (header.mode, header.has_alpha) == (mode, alpha)
    assert header.lossless == any(one in name for one in ("png", "gif", "tiff", "lossless"))


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_the_size_is_the_displayed_one(kind: str, turn: int) -> None:
    data = file(image(), kind, exif=oriented(turn))
    header = whole(data)
    assert header.orientation == turn
    assert (header.width, header.height) == ImageOps.exif_transpose(reopened(data)).size


def test_without_its_reader_a_heic_is_named_and_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sniffing, "HEIC_IS_READ", False)
    assert refusal(file(image(), "HEIF")) == "unsupported_type"


@pytest.mark.parametrize("turn", [0, 9, 65_535])
def test_an_impossible_orientation_is_none(turn: int) -> None:
    assert whole(file(image(), "JPEG", exif=oriented(turn))).orientation == 1


@given(st.sampled_from([b"II*\0", b"MM\0*", b""]), st.binary(max_size=80))
def test_no_exif_block_does_harm(order: bytes, rest: bytes) -> None:
    found = exif.parse(order + rest)
    assert 1 <= found.orientation <= 8
    assert len(found.artist) + len(found.copyright) <= 2 * len(rest)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
@pytest.mark.parametrize("lossless", [True, False])
def test_what_moves_says_so(kind: str, lossless: bool) -> None:  # noqa: FBT001  # a parameter
    options = {"lossless": lossless} if kind == "WEBP" else {}
    moving = whole(file(FRAMES[0], kind, save_all=True, append_images=FRAMES[1:], **options))
    assert (moving.animated, moving.lossless) == (True, lossless or kind == "PNG")
    assert not whole(file(FRAMES[0], kind, **options)).animated


def test_pixels_that_say_too_much_depth_colour_or_pages_are_refused() -> None:
    deep_avif = bytearray(file(image(), "AVIF"))
    deep_avif[deep_avif.index(b"av1C") + 6] |= 0x40
    sequence = file(FRAMES[0], "AVIF", save_all=True, append_images=FRAMES[1:])
    assert refusal(file(Image.new("I;16", (4, 4)))) == "unsupported_bit_depth"
    assert refusal(bytes(deep_avif)) == "unsupported_bit_depth"
    assert refusal(sequence) == "unsupported_animation"
    deep_heic = bytearray(file(image(), "HEIF"))
    deep_heic[deep_heic.index(b"hvcC") + 4 + 17] |= 2
    assert refusal(bytes(deep_heic)) == "unsupported_bit_depth"
    pages = file(FRAMES[0], "TIFF", save_all=True, append_images=FRAMES[1:])
    assert refusal(file(Image.new("I;16", (4, 4)), "TIFF")) == "unsupported_bit_depth"
    assert refusal(file(Image.new("F", (4, 4)), "TIFF")) == "unsupported_bit_depth"
    assert refusal(file(Image.new("CMYK", (4, 4)), "TIFF")) == "unsupported_colour_mode"
    assert refusal(pages) == "unsupported_pages"


def with_sub_directory(inner: dict[int, int], **outer: int) -> bytes:
    """A TIFF of one page whose directory names another, of these short values."""
    data = file(image(), "TIFF", tiffinfo={330: 0, **{int(tag[1:]): n for tag, n in outer.items()}})
    at = data.index(struct.pack("<HHI", 330, 4, 1)) + 8
    entries = b"".join(struct.pack("<HHIHH", tag, 3, 1, n, 0) for tag, n in sorted(inner.items()))
    where = len(data) + len(data) % 2
    data = data[:at] + struct.pack("<I", where) + data[at + 4 :]
    return data.ljust(where, b"\0") + struct.pack("<H", len(inner)) + entries + bytes(4)


def test_a_raw_photo_is_told_from_a_tiff_with_further_sizes() -> None:
    assert refusal(file(image(), "TIFF", tiffinfo={50706: 1})) == "unsupported_type"
    assert refusal(with_sub_directory({262: 32803})) == "unsupported_type"
    assert refusal(with_sub_directory({259: 34713}, _254=1)) == "unsupported_type"
    assert refusal(with_sub_directory({262: 2}, _254=1)) == "unsupported_pages"
    assert whole(with_sub_directory({254: 1, 262: 2})).format == "tiff"


def test_what_lies_between_a_jpegs_segments_is_skipped() -> None:
    plain = file(image(), "JPEG", exif=oriented(6))
    second = plain.index(b"\xff\xdb")
    for stray in (b"junk", b"\xff\0\xff\0", b"\xff" * 9, b"\0", b"\0\xff\0x\xff\xff"):
        assert whole(plain[:second] + stray + plain[second:]) == whole(plain)
        assert reopened(plain[:second] + stray + plain[second:]).size == (40, 30)
    assert refusal(plain[:second] + b"\xff\xd9" + plain[second:]) == "corrupt"


@pytest.mark.parametrize("turn", [1, 6])
def test_a_webps_metadata_may_come_before_its_picture(turn: int) -> None:
    plain = file(image(), "WEBP", exif=oriented(turn))
    at = plain.index(b"EXIF")
    words = plain[at:]
    first = plain[:30] + words + plain[30:at]
    assert whole(first) == whole(plain)
    assert reopened(first).getexif()[ORIENTATION] == turn


def cropped(*numbers: int) -> bytes:
    """An AVIF of 40 by 30 whose item has a ``clap`` of these eight numbers."""
    data = file(image(), "AVIF")
    clap = struct.pack(">I4s8i", 40, b"clap", *numbers)
    ipco, ipma = data.index(b"ipco") - 4, data.index(b"ipma") - 4
    grown = bytearray(data[:ipma] + clap + data[ipma:])
    properties = data[ipco:ipma].count(b"ispe") + sum(
        data[ipco:ipma].count(kind) for kind in (b"pixi", b"av1C", b"colr")
    )
    ipma += len(clap)
    count = ipma + 18  # of the only item's properties
    grown[count + 1 : count + 1] = bytes([0x80 | (properties + 1)])
    grown[count] += 1
    for at, more in (
        (ipco, 40),
        (ipma, 1),
        (data.index(b"iprp") - 4, 41),
        (data.index(b"meta") - 4, 41),
    ):
        grown[at : at + 4] = (int.from_bytes(grown[at : at + 4], "big") + more).to_bytes(4, "big")
    return _moved(bytes(grown), 41)


def _moved(data: bytes, by: int) -> bytes:
    """The item's data lie further back."""
    at = data.index(b"iloc") + 4 + 8 + 2 + 2 + 2
    offset = int.from_bytes(data[at : at + 4], "big") + by
    return data[:at] + offset.to_bytes(4, "big") + data[at + 4 :]


def test_an_avifs_crop_is_what_is_shown() -> None:
    header = whole(cropped(20, 1, 15, 1, -4, 1, 5, 2))
    assert (header.width, header.height) == (20, 15)
    assert (header.stored_size, header.shown) == ((40, 30), (6, 10, 26, 25))
    turned = cropped(20, 1, 15, 1, -4, 1, 5, 2).replace(
        b"pixi\0\0\0\0\3\x08\x08\x08", b"irot\1" + bytes(7)
    )
    header = whole(turned)
    assert (header.width, header.height, header.orientation) == (15, 20, 8)
    assert (header.stored_size, header.shown) == ((40, 30), (6, 10, 26, 25))
    assert refusal(cropped(21, 1, 10, 1, 0, 1, 0, 1)) == "unsupported_type"
    assert refusal(cropped(20, 1, 10, 1, 11, 1, 0, 1)) == "unsupported_type"
    assert refusal(cropped(20, 0, 10, 1, 0, 1, 0, 1)) == "corrupt"


@pytest.mark.parametrize("name", FOREIGN)
def test_other_kinds_of_picture_are_named(name: str) -> None:
    assert refusal(FOREIGN[name]) == "unsupported_type"


@pytest.mark.parametrize("data", [b"hello, world", b"x" * 5000, bytes(100), b"<html><body></html>"])
def test_anything_else_is_not_an_image(data: bytes) -> None:
    assert refusal(data) == "not_an_image"


def test_nothing_at_all_is_said_to_be_nothing() -> None:
    assert refusal(b"") == "empty_body"
    assert sniff(b"", Limits(), complete=False) is None


@pytest.mark.parametrize("name", SAMPLES)
def test_a_head_is_undecided_until_it_is_long_enough(name: str) -> None:
    data, _, _ = SAMPLES[name]
    full = whole(data)
    decided = [sniff(data[:length], Limits(), complete=False) for length in range(len(data))]
    first = next((at for at, header in enumerate(decided) if header), len(data))
    assert set(decided[:first]) <= {None}
    assert set(decided[first:]) <= {full}
    assert refusal(data[: first - 1]) == "truncated"


def test_limits_count_as_soon_as_the_header_shows_the_size() -> None:
    wide, square = file(Image.new("1", (17_000, 1))), file(Image.new("1", (1000, 1001)))
    assert refusal(wide[:33], complete=False) == "too_many_pixels"
    assert refusal(square[:33], Limits(max_megapixels=1.0), complete=False) == "too_many_pixels"
    assert whole(square).height == 1001
    empty = bytearray(file(image()))
    empty[16:20] = bytes(4)
    assert refusal(bytes(empty)) == "bad_dimensions"


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF"])
def test_limits_count_in_every_format(kind: str) -> None:
    assert refusal(file(image(), kind), Limits(max_side=39)) == "too_many_pixels"
    assert refusal(file(image(), kind), Limits(max_megapixels=0.001)) == "too_many_pixels"


def test_a_frame_header_behind_megabytes_of_segments_is_found() -> None:
    plain = file(image(), "JPEG")
    data = plain[:2] + segment(0xE2, 65_000) * 40 + plain[2:]
    start = time.perf_counter()
    answers = [sniff(data[:end], Limits(), complete=False) for end in range(0, len(data), 65_536)]
    assert not any(answers)
    assert whole(data) == whole(plain)
    assert time.perf_counter() - start < 1


def test_endless_small_blocks_are_refused_in_bounded_time() -> None:
    jpeg, png = file(image(), "JPEG"), file(image())
    start = time.perf_counter()
    assert refusal(jpeg[:2] + segment(0xE2, 0) * 1_000_000 + jpeg[2:]) == "corrupt"
    assert whole(jpeg[:2] + b"\xff" * 4_000_000 + jpeg[2:]) == whole(jpeg)
    assert whole(jpeg[:2] + b"\xff\0" * 4_000_000 + jpeg[2:]) == whole(jpeg)
    assert refusal(png[:33] + chunk(b"tEXt", b"") * 300_000 + png[33:]) == "corrupt"
    assert time.perf_counter() - start < 1


def test_an_absurd_avif_is_refused_without_a_long_search() -> None:
    avif = bytearray(file(image(), "AVIF"))
    at = avif.index(b"ipma")
    avif[at + 8 : at + 12] = b"\xff" * 4
    avif[at + 12 : at + 14] = b"\xff\xff"  # another item's: the search goes on to the end
    start = time.perf_counter()
    assert refusal(bytes(avif)) == "corrupt"
    assert time.perf_counter() - start < 0.1


@given(
    data=st.sampled_from([*FILES, *FOREIGN.values()]),
    changes=st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=8)), max_size=6),
    length=st.integers(0, 1200),
)
@settings(max_examples=600, deadline=None)
def test_no_mutation_escapes_the_table_of_refusals(
    data: bytes, changes: list[tuple[int, bytes]], length: int
) -> None:
    mutant = bytearray(data)
    for at, what in changes:
        mutant[at : at + len(what)] = what
    for head, complete in ((mutant[:length], False), (mutant[:length], True), (mutant, True)):
        with contextlib.suppress(BadInput):
            header = sniff(bytes(head), Limits(), complete=complete)
            assert header is not None or not complete


@given(st.binary(max_size=300), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"]))
def test_no_bytes_escape_the_table_of_refusals(data: bytes, magic: bytes) -> None:
    with contextlib.suppress(BadInput):
        sniff(magic + data, Limits(), complete=True)


def test_sniffing_loads_no_pixel_library() -> None:
    code = (
        "import sys, photoward.core.imaging.sniff; "
        "sys.exit(bool({'numpy', 'PIL', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
