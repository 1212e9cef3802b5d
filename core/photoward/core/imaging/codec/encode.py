"""Writing the protected file: format, quality and metadata, the same bytes for the same pixels."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from photoward.core import rights
from photoward.core.errors import BadInput
from photoward.core.imaging import bands

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from photoward.core.imaging.codec.decode import Picture
    from photoward.core.imaging.codec.rights_metadata import RightsMetadata
    from photoward.core.imaging.header import CodePoints

MOVING = ("png", "webp")
"""Formats in which animations are written."""

WEBP_SIDE = 16_383
PNG_MS = 65_535

WEBP_QUALITY = 97
"""Of lossy WebP: 0.94 of the noise's correlation survives, 0.87 at 90; 100 costs half as much
again in bytes for 0.95 (12 MP photo, ε = 8)."""

AVIF_QUALITY = 95
"""0.95 of the noise's correlation survives, as many bytes as JPEG 95."""

AS_GIVEN = -1
"""Pillow's quality at which it does not scale tables."""

FINE_HUE = 90
"""JPEG quality from which on a chosen one keeps the hue of every pixel."""

AVIF_SPEED = 9
"""2 s for 12 MP; 8 takes twice as long for 1 % fewer bytes. """

AVIF_MEGAPIXELS = 25
"""The encoder takes 31 bytes a pixel on top of what is held: more would burst a child's memory."""


SAME = "same"
"""The quality of the input."""


def is_lossless(picture: Picture, output: str) -> bool:
    """Whether the output format gives back every sample."""
    return output == "png" or (output == "webp" and picture.lossless)


def check(picture: Picture, output: str) -> None:
    """Refuse what a format cannot hold.

    Raises:
        BadInput: ``unsupported_output``.
    """
    if picture.motion and output not in MOVING:
        raise _refusal(f"{output.upper()} is written of what stands still only.")
    if picture.motion and output == "png" and max(picture.motion.durations) > PNG_MS:
        raise _refusal(f"A PNG shows a frame for at most {PNG_MS} ms.")
    if output == "jpeg" and bands.has_alpha(picture.image):
        raise _refusal("JPEG cannot hold transparency.")
    if output != "jpeg" and picture.image.mode == "CMYK":
        raise _refusal("Of the formats that are written only JPEG can hold CMYK.")
    if output == "webp" and max(picture.image.size) > WEBP_SIDE:
        raise _refusal(f"A WebP's side has at most {WEBP_SIDE} pixels.")
    if output == "avif" and picture.image.width * picture.image.height > AVIF_MEGAPIXELS * 1e6:
        raise _refusal(f"AVIF is written up to {AVIF_MEGAPIXELS} megapixels.")


@dataclass(frozen=True)
class Statements:
    """What a file shall say beside its picture."""

    mining: str = rights.NOTHING
    """One of ``rights.CHOICES``."""
    groups: Collection[str] = ()
    """Of the original's EXIF (``metadata.GROUPS``)."""
    stated: Mapping[str, str] = field(default_factory=dict)
    """Of ``rights.STATEMENTS``, what fills the original's gaps."""
    instance: str = ""
    """Its instance id in XMP."""


def encode(
    frames: Sequence[Image.Image],
    picture: Picture,
    output: str,
    words: Statements = Statements(),
    quality: int | str | None = None,
) -> bytes:
    """Write changed pixels as a file.

    Args:
        frames: pixels to write, as many as the picture has.
        picture: the picture that they come from.
        output: ``jpeg``, ``png``, ``webp`` or ``avif``.
        words: what the file shall say.
        quality: of a lossy file, 1 to 100; ``same``: that of the picture, of a JPEG made of one;
            None: one at which nearly all noise survives.

    Raises:
        BadInput: ``unsupported_output``, the encoder gave up, most likely for want of memory.
        MemoryError: there is not enough.
    """
    file = io.BytesIO()
    coded = picture.metadata.colour.coded if output == "avif" else None
    image, *others = frames
    options = _OPTIONS[output](picture, words) | _CHOSEN.get(output, _unchanged)(picture, quality)
    if picture.motion:
        options |= {
            "save_all": True,
            "append_images": others,
            "loop": picture.motion.plays,
            "duration": list(picture.motion.durations),
        }
    try:
        image.save(file, output.upper(), **options)
    except (OSError, ValueError, RuntimeError) as error:
        megapixels = image.width * image.height / 1e6
        raise _refusal(
            f"The {output} encoder cannot write {megapixels:.1f} megapixels: {error}."
        ) from error
    return _with_points(file.getvalue(), coded) if coded else file.getvalue()


def _unchanged(_picture: Picture, _quality: int | str | None) -> dict[str, Any]:
    return {}


def _jpeg_quality(picture: Picture, quality: int | str | None) -> dict[str, Any]:
    """Small files want optimised tables, and coarse hue as other encoders write it."""
    if quality == SAME and picture.jpeg_tables:
        return {
            "quality": AS_GIVEN,
            "qtables": [list(table) for table in picture.jpeg_tables],
            "subsampling": picture.jpeg_subsampling,
            "optimize": True,
        }
    if not isinstance(quality, int):
        return {}
    hue = "4:4:4" if quality >= FINE_HUE else "4:2:0"
    return {**_quantisation(picture, quality), "subsampling": hue, "optimize": True}


def _other_quality(picture: Picture, quality: int | str | None) -> dict[str, Any]:
    opaque = not bands.has_alpha(picture.image)
    lossy = isinstance(quality, int) and not picture.lossless
    return {"quality": quality} if lossy and opaque else {}


def _refusal(why: str) -> BadInput:
    return BadInput("unsupported_output", why, field="output_format")


def _jpeg(picture: Picture, words: Statements) -> dict[str, Any]:
    # Optimised Huffman tables would cost a second pass; progressive files have them anyway.
    return _given(
        **_quantisation(picture, picture.jpeg_quality),
        subsampling="4:4:4",
        progressive=picture.progressive,
        icc_profile=picture.metadata.colour.profile(*_spaces(picture)),
        dpi=picture.metadata.dpi,
        extra=_claims(picture, words).of_iptc(),
        **_said(picture, words, density=False),
    )


def _quantisation(picture: Picture, quality: int) -> dict[str, Any]:
    """Beside a coloured date in a black-and-white photo, coarse steps of hue would tint the greys.

    Steps of one cost nothing where there is no hue.
    """
    if not picture.grey or picture.image.mode != "RGB":
        return {"quality": quality}
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "JPEG", quality=quality)
    with Image.open(file) as tiny:
        tables: dict[int, list[int]] = getattr(tiny, "quantization", {})
        return {"qtables": [tables[0], [1] * 64]}


def _png(picture: Picture, words: Statements) -> dict[str, Any]:
    icc, chunks = picture.metadata.colour.of_png(_spaces(picture)[0])
    said, info = _said(picture, words, density=False), PngInfo()
    if said["xmp"]:
        info.add_itxt("XML:com.adobe.xmp", said["xmp"].decode())
    for keyword, text in _claims(picture, words).of_png().items():
        info.add_text(keyword, text)
    for kind, data in chunks:
        info.add(kind, data)
    # Level 2 is four times as fast as the default 6 and within 7 % of its size on noisy pixels.
    return _given(
        compress_level=2, icc_profile=icc, dpi=picture.metadata.dpi, exif=said["exif"], pnginfo=info
    )


def _webp(picture: Picture, words: Statements) -> dict[str, Any]:
    # Lossless, "quality" is effort: 0.7 s for 12 MP. Lossy, methods 0 and 1 overflow the format's
    # first partition at 50 MP.
    lossless, lossy = {"quality": 20, "method": 0}, {"quality": WEBP_QUALITY, "method": 2}
    effort = lossless if picture.lossless else lossy
    return _given(
        lossless=picture.lossless,
        exact=True,
        **_said(picture, words, density=True),
        icc_profile=picture.metadata.colour.profile(b"RGB "),  # it knows no grey
        **effort,
    )


def _avif(picture: Picture, words: Statements) -> dict[str, Any]:
    # Only at 100 the opacity comes back bit by bit.
    quality = 100 if bands.has_alpha(picture.image) else AVIF_QUALITY
    grey = picture.image.mode == "L"
    spaces = _spaces(picture) if grey else (b"RGB ",)
    coded = picture.metadata.colour.coded
    return _given(
        quality=quality,
        subsampling="4:0:0" if grey else "4:4:4",
        speed=AVIF_SPEED,
        max_threads=1,
        icc_profile=b"" if coded else picture.metadata.colour.profile(*spaces),
        **_said(picture, words, density=True),
    )


def _claims(picture: Picture, words: Statements) -> RightsMetadata:
    return picture.metadata.rights.filled(words.stated)


def _said(picture: Picture, words: Statements, *, density: bool) -> dict[str, bytes]:
    claims = _claims(picture, words)
    exif = picture.metadata.exif(claims, density=density, groups=words.groups)
    return {"exif": exif, "xmp": claims.of_xmp(words.mining, words.instance)}


def _spaces(picture: Picture) -> tuple[bytes, ...]:
    """Of the profiles that a picture's mode may have, the one that is made first."""
    return {"L": (b"GRAY", b"RGB "), "LA": (b"GRAY", b"RGB "), "CMYK": (b"CMYK",)}.get(
        picture.image.mode, (b"RGB ",)
    )


def _with_points(avif: bytes, points: CodePoints) -> bytes:
    """The file with other code points where the encoder wrote those of sRGB."""
    at = avif.index(b"colrnclx") + 8
    numbers = points.primaries.to_bytes(2, "big") + points.transfer.to_bytes(2, "big")
    return avif[:at] + numbers + avif[at + len(numbers) :]


def _given(**options: Any) -> dict[str, Any]:  # noqa: ANN401  # Pillow's options, each of its type
    return {name: value for name, value in options.items() if value not in (None, b"")}


_CHOSEN = {"jpeg": _jpeg_quality, "webp": _other_quality, "avif": _other_quality}
_OPTIONS: dict[str, Callable[[Picture, Statements], dict[str, Any]]] = {
    "jpeg": _jpeg,
    "png": _png,
    "webp": _webp,
    "avif": _avif,
}
