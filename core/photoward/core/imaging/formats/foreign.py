"""Files that are pictures or nearly so, but not ours: named, so that the refusal helps."""

from __future__ import annotations

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"II+\0", "a BigTIFF"),
    (b"MM\0+", "a BigTIFF"),
    (b"IIU\0", "a raw photo"),
    (b"FUJIFILMCCD-RAW", "a raw photo"),
    (b"\xff\x0a", "a JPEG XL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000"),
    (b"8BPS", "a Photoshop file"),
    (b"\0\0\x01\0", "an icon"),
    (b"\0\0\x02\0", "a cursor"),
    (b"icns", "an icon"),
    (b"qoif", "a QOI"),
    (b"DDS ", "a DDS"),
    (b"\x76\x2f\x31\x01", "an OpenEXR"),
    (b"#?RADIANCE", "a Radiance HDR"),
    (b"gimp xcf", "a GIMP file"),
    (b"\x8aMNG", "an MNG"),
    (b"\x8bJNG", "a JNG"),
    (b"%PDF", "a PDF"),
    (b"%!PS", "PostScript"),
    (b"\xc5\xd0\xd3\xc6", "PostScript"),
)
_HEIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_BMP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}
TEXT = 1024
"""Bytes in which the root element of an SVG is looked for."""


def name(head: bytes) -> str | None:
    """What the file is, with an article; None when it is nothing that is known."""
    for magic, what in _MAGIC:
        if head.startswith(magic):
            return what
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "a BMP"
    if head[4:8] == b"ftyp":
        return "a HEIC" if head[8:12] in _HEIF else "a video"
    if is_markup(head) and b"<svg" in head[:TEXT].lower():
        return "an SVG"
    return None


def is_markup(head: bytes) -> bool:
    """Whether the file may be XML, of which more must be seen."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<"
