"""What may be served of an inbox, judged by a file's first bytes, never by its name.

A picture leaves protected or not at all. Sound, film and PDF may pass as they are; everything that
is not recognised stays inside, so that no new picture format slips through.
"""

from __future__ import annotations

from dataclasses import dataclass

from photoward.core.imaging.formats import foreign, heif
from photoward.core.imaging.formats.window import Short, Window
from photoward.core.imaging.sniff import HEAD, kind

__all__ = ["CLASSES", "HEAD", "MediaKind", "media_kind"]

IMAGE = "image"
CLASSES = ("video", "audio", "pdf")
"""What may pass unprotected, by the operator's choice."""

_MAGIC = (
    (b"OggS", "audio", "audio/ogg"),
    (b"ID3", "audio", "audio/mpeg"),
    (b"\xff\xfb", "audio", "audio/mpeg"),
    (b"\xff\xf3", "audio", "audio/mpeg"),
    (b"\xff\xf2", "audio", "audio/mpeg"),
    (b"fLaC", "audio", "audio/flac"),
    (b"%PDF-", "pdf", "application/pdf"),
)
_EBML = b"\x1a\x45\xdf\xa3"
_AUDIO_BRANDS = {b"M4A ", b"M4B "}
_VIDEO_BRANDS = {
    b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V ", b"M4VP",
    b"dash", b"3gp4", b"3gp5", b"3gp6", b"MSNV", b"qt  ",
}  # fmt: skip
_IMAGE_BRANDS = heif.AVIF | heif.HEIC | {b"hevc", b"hevx", b"mif1", b"msf1", b"miaf", b"jxl "}


@dataclass(frozen=True)
class MediaKind:
    """What a file is."""

    group: str
    """``image``, or one of ``CLASSES``."""
    media_type: str


def media_kind(head: bytes) -> MediaKind | None:
    """What a file is by its first ``HEAD`` bytes; None: nothing that may leave, whatever is set."""
    picture = kind(head)
    if picture is not None:
        return MediaKind(IMAGE, f"image/{picture}")
    if head[4:8] == b"ftyp":
        return _film(Window(head))
    return None if foreign.name(head) not in {None, "a PDF"} else _other(head)


def _other(head: bytes) -> MediaKind | None:
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return MediaKind("audio", "audio/wav")
    if head.startswith(_EBML) and b"webm" in head[:64]:
        return MediaKind("video", "video/webm")
    known = (MediaKind(*what) for magic, *what in _MAGIC if head.startswith(magic))
    return next(known, None)


def _film(window: Window) -> MediaKind | None:
    try:
        brands = heif.brands(window)
        major = window.take(8, 4)
    except Short:
        return None
    if not brands or brands & _IMAGE_BRANDS or major not in _VIDEO_BRANDS | _AUDIO_BRANDS:
        return None
    if major in _AUDIO_BRANDS:
        return MediaKind("audio", "audio/mp4")
    return MediaKind("video", "video/quicktime" if major == b"qt  " else "video/mp4")
