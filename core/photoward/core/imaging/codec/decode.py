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
from PIL import Image, ImageChops
from PIL.JpegImagePlugin import get_sampling

from photoward.core.errors import BadInput
from photoward.core.imaging import bands
from photoward.core.imaging.codec import animation, metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from photoward.core.imaging.codec.metadata import Metadata
    from photoward.core.imaging.header import Header

MODES = ("L", "LA", "RGB", "RGBA", "CMYK")
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SOME = 8
"""Frames of an animation that are looked at, at most, to make its noise."""

TINT, STAMP = 8, 0.02
"""How far apart a grey pixel's channels may lie (8-bit steps: what coders, scanners and yellowed
paper do to it), and the share of pixels that may be more than that (a date in a corner). Among 1425
photos of ImageNet these keep apart what people call black-and-white: the next coloured one has
3.5 %."""

MAX_STEP = 255
"""Of a baseline JPEG's quantisation."""

_DECODERS = {"heic": "HEIF"}
"""Format → Pillow's name for it, where that is another."""
_LUMA_SUMS = {95: 369, 96: 292, 97: 221, 98: 151, 99: 86}
"""JPEG quality (libjpeg's scale) → sum of the luma quantisation table."""


@dataclass(frozen=True)
class Picture:
    """Everything about an opened picture."""

    frames: tuple[Image.Image, ...]
    """Oriented; one of what stands still. All of one size and one of ``MODES``."""
    grey: bool
    """Hardly a pixel has a hue, whatever the mode: it must not turn coloured."""
    metadata: Metadata
    notes: list[str]
    format: str
    lossless: bool
    progressive: bool = False
    jpeg_quality: int = 95
    """The input's own if that was higher, else 95."""
    motion: animation.Animation | None = None
    """Of what does not stand still."""
    jpeg_tables: tuple[tuple[int, ...], ...] = ()
    """The quantisation of a JPEG, by table; empty: it is none."""
    jpeg_subsampling: int = 0
    """The same of its colours, as Pillow counts: 0 is 4:4:4, 1 is 4:2:2, 2 is 4:2:0."""

    @property
    def image(self) -> Image.Image:
        """The first frame: what stands for the whole where one picture must."""
        return self.frames[0]

    @property
    def pixels(self) -> int:
        """Of all frames."""
        return self.image.width * self.image.height * len(self.frames)

    def shrunk(
        self, size: tuple[int, int], box: tuple[float, float, float, float] | None = None
    ) -> Picture:
        """The same, or the part of it in ``box``, in another size, and a note of it.

        Args:
            size: width and height in which it leaves.
            box: left, top, right and bottom of what is shown, in pixels; None: all.
        """
        if size == self.image.size and box is None:
            return self
        how = Image.Resampling.LANCZOS
        small = tuple(frame.resize(size, how, box) for frame in self.frames)
        what = "shrunk" if box is None else "cropped"
        note = f"It was {what} to {size[0]} by {size[1]} pixels, as asked."
        return replace(self, frames=small, notes=[*self.notes, note])

    def digest(self) -> bytes:
        """SHA-256 over mode, size and all oriented samples, opacity included."""
        summary = hashlib.sha256(f"{self.image.mode} {self.image.size}\n".encode())
        for frame in self.frames:
            for top, bottom in bands.rows(frame.size):
                summary.update(bands.cut(frame, top, bottom).tobytes())
        return summary.digest()

    def beside(self, other: Picture) -> Iterator[tuple[Image.Image, Image.Image]]:
        """Each frame with what ``other`` shows at the same moment, in the same mode."""
        for number, frame in enumerate(self.frames):
            shown = 0
            if self.motion and other.motion:
                shown = other.motion.shown(self.motion.starts[number])
            later = other.frames[shown]
            yield frame, later if later.mode == frame.mode else later.convert(frame.mode)

    def on_grid(self, side: int) -> NDArray[np.uint8]:
        """RGB ``[side, side, 3]``: the whole picture, squeezed to a square by a triangle filter.

        Exactly the pixels when the picture is of that size; what is transparent is shown over
        middle grey. Of an animation the mean of some frames.
        """
        some = self.frames[:: -(-len(self.frames) // SOME)]
        if len(some) == 1:
            return _on_grid(self.image, side)
        mean: NDArray[np.float64] = np.mean([_on_grid(frame, side) for frame in some], axis=0)
        return mean.round().astype(np.uint8)


def _on_grid(image: Image.Image, side: int) -> NDArray[np.uint8]:
    if image.size != (side, side):
        image = image.resize((side, side), Image.Resampling.BILINEAR)
    if bands.has_alpha(image):
        ground = Image.new("RGBA", image.size, (128, 128, 128, 255))
        image = Image.alpha_composite(ground, image.convert("RGBA"))
    return np.array(image.convert("RGB"), dtype=np.uint8)


def decode(data: bytes | bytearray, header: Header, most_pixels: float = float("inf")) -> Picture:
    """Decode a whole file.

    Args:
        data: the file.
        header: what it said; decides which decoder reads it.
        most_pixels: of all frames together.

    Raises:
        BadInput: ``corrupt``, ``truncated``, ``unsupported_colour_mode``, ``too_many_pixels`` or
            ``unsupported_animation``.
        MemoryError: there is not enough.
    """
    notes: list[str] = []

    def plain(frame: Image.Image) -> Image.Image:
        return _plain(frame.crop(header.shown) if header.shown else frame, header, notes)

    file, frames, moves = _load(data, header, plain, most_pixels)
    keep = metadata.read(bytes(data), header.format, file, frames[0].mode, notes)
    tables = getattr(file, "quantization", None) or {}
    if header.orientation in _TURNS:
        frames = tuple(frame.transpose(_TURNS[header.orientation]) for frame in frames)
    if moves:
        notes.append(f"All {len(frames)} frames carry the same noise.")
    return Picture(
        frames,
        all(map(_is_grey, frames)),
        keep,
        list(dict.fromkeys(notes)),
        header.format,
        header.lossless,
        bool(file.info.get("progressive")),
        _quality(tables.get(0, ())),
        moves,
        tuple(tuple(min(step, MAX_STEP) for step in tables[key]) for key in sorted(tables)),
        max(0, get_sampling(file)) if tables else 0,
    )


def _load(
    data: bytes | bytearray,
    header: Header,
    plain: Callable[[Image.Image], Image.Image],
    most_pixels: float,
) -> tuple[Image.Image, tuple[Image.Image, ...], animation.Animation | None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a decoder merely wonders about is no matter
            with Image.open(
                io.BytesIO(data), formats=[_DECODERS.get(header.format, header.format.upper())]
            ) as file:
                # The header's size was checked against the limits, and is the one that counts.
                if file.size == header.stored_size:
                    if header.format in animation.FORMATS:
                        return file, *animation.read(file, plain, most_pixels)
                    file.load()  # the first picture: what else the file holds goes
                    return file, (plain(file),), None
    except (MemoryError, BadInput):
        raise
    except Exception as error:  # decoders fail with about anything on a hostile file
        code = "truncated" if "truncated" in str(error).lower() else "corrupt"
        raise BadInput(code, "The photo cannot be decoded to its end.") from error
    raise BadInput("corrupt", "The photo does not have the size that its header says.")


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
        raise BadInput("unsupported_colour_mode", f"The mode of the decoded photo is {file.mode}.")
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
    """Whether hardly a pixel that can be seen has a hue."""
    if image.mode in ("L", "LA"):
        return True
    coloured, most = 0, image.width * image.height * STAMP
    for top, bottom in bands.rows(image.size):
        band = bands.cut(image, top, bottom)
        red, green, blue, *_ = band.split()
        brightest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
        darkest = ImageChops.darker(ImageChops.darker(red, green), blue)
        seen = band.getchannel("A").point([0, *[255] * 255]) if bands.has_alpha(band) else None
        spread = ImageChops.subtract(brightest, darkest).histogram(seen)
        coloured += sum(spread[TINT + 1 :])
        if coloured > most:
            return False
    return True


def _quality(luma: list[int] | tuple[int, ...]) -> int:
    if not luma:
        return 95
    total = sum(luma)
    return next((quality for quality, own in _LUMA_SUMS.items() if own <= total), 100)
