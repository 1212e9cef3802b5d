"""A decoded picture: oriented pixels in one of five modes, and what its file said besides.

Runs in a child only: the files are hostile and their decoders are not ours.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from photoward.core.errors import BadInput
from photoward.core.imaging import bands, kept

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from photoward.core.imaging.header import Header

MODES = ("L", "LA", "RGB", "RGBA", "CMYK")
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90,
}  # fmt: skip
_DECODERS = {"heic": "HEIF"}
"""Format → Pillow's name for it, where that is another."""
_LUMA_SUMS = {95: 369, 96: 292, 97: 221, 98: 151, 99: 86}
"""JPEG quality (libjpeg's scale) → sum of the luma quantisation table."""


@dataclass(frozen=True)
class Picture:
    """Everything about an opened picture."""

    image: Image.Image
    """Oriented; mode one of ``MODES``."""
    grey: bool
    """No pixel has a hue, whatever the mode: it must not turn coloured."""
    kept: kept.Kept
    notes: list[str]
    format: str
    lossless: bool
    progressive: bool = False
    jpeg_quality: int = 95
    """The input's own if that was higher, else 95."""

    def shrunk(self, size: tuple[int, int]) -> Picture:
        """The same in another size, and a note of it; itself in its own."""
        if size == self.image.size:
            return self
        small = self.image.resize(size, Image.Resampling.LANCZOS)
        note = f"It was shrunk to {size[0]} by {size[1]} pixels, as asked."
        return replace(self, image=small, notes=[*self.notes, note])

    def digest(self) -> bytes:
        """SHA-256 over mode, size and all oriented samples, opacity included."""
        summary = hashlib.sha256(f"{self.image.mode} {self.image.size}\n".encode())
        for top, bottom in bands.rows(self.image.size):
            summary.update(bands.cut(self.image, top, bottom).tobytes())
        return summary.digest()

    def on_grid(self, side: int) -> NDArray[np.uint8]:
        """RGB ``[side, side, 3]``: the whole picture, squeezed to a square by a triangle filter.

        Exactly the pixels when the picture is of that size; what is transparent is shown over
        middle grey.
        """
        image = self.image
        if image.size != (side, side):
            image = image.resize((side, side), Image.Resampling.BILINEAR)
        if bands.has_alpha(image):
            ground = Image.new("RGBA", image.size, (128, 128, 128, 255))
            image = Image.alpha_composite(ground, image.convert("RGBA"))
        return np.array(image.convert("RGB"), dtype=np.uint8)


def decode(data: bytes | bytearray, header: Header) -> Picture:
    """Decode a whole file.

    Raises:
        BadInput: ``corrupt``, ``truncated`` or ``unsupported_colour_mode``.
        MemoryError: there is not enough.
    """
    file = _load(data, header)
    notes: list[str] = []
    image = _plain(file, header, notes)
    described = {**file.info, "exif": bytes(data)} if header.format == "tiff" else file.info
    keep = kept.read(described, image.mode, notes)
    tables = getattr(file, "quantization", None) or {}
    if header.orientation in _TURNS:
        image = image.transpose(_TURNS[header.orientation])
    return Picture(
        image, _is_grey(image), keep, notes, header.format, header.lossless,
        bool(file.info.get("progressive")), _quality(tables.get(0, ())),
    )  # fmt: skip


def _load(data: bytes | bytearray, header: Header) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a decoder merely wonders about is no matter
            with Image.open(
                io.BytesIO(data), formats=[_DECODERS.get(header.format, header.format.upper())]
            ) as file:
                # The header's size was checked against the limits, and is the one that counts.
                if header.format == "gif":
                    _refuse_motion(file)
                if file.size == header.stored_size:
                    file.load()
                    return file
    except (MemoryError, BadInput):
        raise
    except Exception as error:  # decoders fail with about anything on a hostile file
        code = "truncated" if "truncated" in str(error).lower() else "corrupt"
        raise BadInput(code, "The picture cannot be decoded to its end.") from error
    raise BadInput("corrupt", "The picture has not the size that its header says.")


def _refuse_motion(file: Image.Image) -> None:
    """A GIF's head does not tell whether more pictures follow."""
    if getattr(file, "n_frames", 1) > 1:
        raise BadInput("unsupported_animation", "This is an animated GIF.")


def _plain(file: Image.Image, header: Header, notes: list[str]) -> Image.Image:
    """Bring a decoded file to one of ``MODES``."""
    if file.mode in MODES and "transparency" not in file.info:
        return file
    alpha = "transparency" in file.info
    if file.mode in ("P", "PA"):
        wanted = "RGBA" if alpha or file.mode == "PA" else "RGB"
        notes.append(f"The palette became {wanted}.")
    elif file.mode in ("1", "L"):
        wanted = "LA" if alpha else "L"
        file = _scaled_key(file, header.bit_depth)
    elif file.mode in ("RGB", "RGBX"):
        wanted = "RGBA" if alpha else "RGB"
    else:
        raise BadInput("unsupported_colour_mode", f"The decoded picture's mode is {file.mode}.")
    return file.convert(wanted)


def _scaled_key(file: Image.Image, bit_depth: int) -> Image.Image:
    """Grey of 8 bits, with a transparent grey level (if any) in the same scale.

    Pillow spreads samples of 2 and 4 bits over 0 to 255, but not PNG's transparent level.
    """
    if file.mode == "1":
        return file.convert("L")
    level = file.info.get("transparency")
    if isinstance(level, int):
        file.info["transparency"] = level * (255 // ((1 << bit_depth) - 1))
    return file


def _is_grey(image: Image.Image) -> bool:
    if image.mode in ("L", "LA"):
        return True
    for top, bottom in bands.rows(image.size):
        red, green, blue = bands.cut(image, top, bottom).split()[:3]
        if not red.tobytes() == green.tobytes() == blue.tobytes():
            return False
    return True


def _quality(luma: list[int] | tuple[int, ...]) -> int:
    if not luma:
        return 95
    total = sum(luma)
    return next((quality for quality, own in _LUMA_SUMS.items() if own <= total), 100)
