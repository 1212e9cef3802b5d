"""What a file is, from its first bytes; decodes nothing and knows no pixel library.

Safe to call again and again on a growing head: each call walks at most some thousand blocks,
however long the file. ``BadInput`` is all that it raises.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from photoward.core.errors import BadInput
from photoward.core.imaging.formats import foreign, gif, heif, jpeg, png, tiff, webp
from photoward.core.imaging.formats.window import Short, Window
from photoward.core.imaging.header import Header, Limits

if TYPE_CHECKING:
    from collections.abc import Callable

HEIC_IS_READ = importlib.util.find_spec("pillow_heif") is not None
"""Whether the extra ``heif`` is installed."""

_READ = ("jpeg", "png", "webp", "avif", "gif", "tiff", *(("heic",) if HEIC_IS_READ else ()))

INPUTS = {name: f"image/{name}" for name in _READ}
"""Formats that are read here → media type."""

__all__ = ["HEAD", "HEIC_IS_READ", "INPUTS", "Header", "Limits", "kind", "sniff"]

_ENOUGH = 18
"""Bytes that tell every kind of file from every other (but for markup)."""
_MAGIC = (
    (b"\xff\xd8\xff", jpeg.read),
    (b"\x89PNG\r\n\x1a\n", png.read),
    (b"GIF87a", gif.read),
    (b"GIF89a", gif.read),
    (b"II*\0", tiff.read),
    (b"MM\0*", tiff.read),
)

HEAD = 2048
"""Bytes that say of which kind a file is."""

_KINDS: dict[Callable[[Window, Limits], Header], str] = {
    jpeg.read: "jpeg",
    png.read: "png",
    gif.read: "gif",
    tiff.read: "tiff",
    webp.read: "webp",
}


def sniff(head: bytes, limits: Limits, *, complete: bool) -> Header | None:
    """Read a picture's header.

    Args:
        head: the file's first bytes, as many as are at hand.
        limits: the largest picture that is let in; checked as soon as its size is seen.
        complete: whether ``head`` is the whole file.

    Returns:
        The header, or None: more bytes are needed (never when ``complete``). A WebP with EXIF
        needs all of them, a refusal never does.

    Raises:
        BadInput: ``empty_body``, ``not_an_image``, ``unsupported_*``, ``bad_dimensions``,
            ``too_many_pixels``, ``corrupt``, or ``truncated`` when complete and cut off.
    """
    if complete and not head:
        raise BadInput("empty_body", "The file is empty.")
    window = Window(head)
    try:
        header = _reader(window, complete=complete)(window, limits)
        if complete and header.media_type == "image/webp":
            window.take(0, webp.announced(window) - 1)  # the last byte may be padding
    except Short:
        if complete:
            raise BadInput("truncated", "The file ends within its header.") from None
        return None
    return header


def kind(head: bytes) -> str | None:
    """The format that a file's first bytes say it is of; None: of none that is read here.

    Args:
        head: the first ``HEAD`` bytes, or the whole file.
    """
    window = Window(head)
    try:
        read = _reader(window, complete=True)
    except (BadInput, Short):
        return None
    if read is heif.read:
        return "heic" if heif.brands(window) & heif.HEIC else "avif"
    return _KINDS[read]


def _reader(window: Window, *, complete: bool) -> Callable[[Window, Limits], Header]:
    head = window.data
    for magic, read in _MAGIC:
        if head.startswith(magic):
            return read
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return webp.read
    if len(head) < _ENOUGH and (not complete or _begins_like_ours(head)):
        raise Short
    if head[4:8] == b"ftyp" and heif.brands(window) & _brands_that_are_read():
        return heif.read
    if foreign.is_markup(head) and len(head) < foreign.TEXT and not complete:
        raise Short
    what = foreign.name(head)
    if what is not None:
        raise BadInput("unsupported_type", f"This is {what}.")
    raise BadInput("not_an_image", "The bytes begin like no supported image format.")


def _brands_that_are_read() -> set[bytes]:
    return heif.AVIF | heif.HEIC if HEIC_IS_READ else heif.AVIF


def _begins_like_ours(head: bytes) -> bool:
    whole = (*(magic for magic, _ in _MAGIC), b"RIFF")
    return any(magic[: len(head)] == head[: len(magic)] for magic in whole)
