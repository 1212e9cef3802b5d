"""What the head of a picture's file says, and how much of it is too much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from photoward.core.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence

READ_ONLY = {"gif": "png", "tiff": "png", "heic": "jpeg"}
"""Formats that are read but not written → what is written instead, as lossless as they are."""

MOST_FRAMES = 300
"""Of an animation."""

Mode = Literal["rgb", "grey", "palette", "cmyk"]


class CodePoints(NamedTuple):
    """A colour space by numbers of ITU-T H.273."""

    primaries: int
    transfer: int
    full: bool = True
    """Whether the decoded samples use their whole range."""


@dataclass(frozen=True)
class Header:
    """A supported picture, known from its file's head alone."""

    media_type: str
    """``image/`` and: jpeg, png, webp, avif, heic, gif or tiff."""
    width: int
    """Displayed pixels: ``orientation`` is applied."""
    height: int
    mode: Mode
    bit_depth: int
    """Bits a channel in the file, 1 to 8."""
    has_alpha: bool = False
    orientation: int = 1
    """EXIF numbering, 1 to 8: how the stored pixels are turned to be displayed."""
    lossless: bool = False
    """Whether the file's own coding loses nothing."""
    animated: bool = False
    """Whether it moves. Of a GIF it is seen only when it is decoded."""

    aperture: Sequence[int] = ()
    """Where its decoder leaves the cropping to others: left and top of what is shown, before
    ``orientation`` is applied, and width and height of all."""

    @property
    def format(self) -> str:
        """``jpeg``, ``png``, ``webp``, ``avif``, ``heic``, ``gif`` or ``tiff``."""
        return self.media_type.removeprefix("image/")

    @property
    def output(self) -> str:
        """The format that the picture leaves in when none is asked for."""
        return READ_ONLY.get(self.format, self.format)

    @property
    def stored_size(self) -> tuple[int, int]:
        """Width and height of what its decoder gives."""
        shown = displayed(self.width, self.height, self.orientation)
        return (self.aperture[2], self.aperture[3]) if self.aperture else shown

    @property
    def shown(self) -> tuple[int, int, int, int] | None:
        """Left, top, right and bottom of what is shown of it; None: all."""
        if not self.aperture:
            return None
        left, top, *_ = self.aperture
        width, height = displayed(self.width, self.height, self.orientation)
        return left, top, left + width, top + height


def displayed(width: int, height: int, orientation: int) -> tuple[int, int]:
    """Width and height after (or, as it is its own inverse, before) an orientation."""
    turned = 5  # EXIF: 5 to 8 exchange the sides
    return (height, width) if orientation >= turned else (width, height)


@dataclass(frozen=True)
class Limits:
    """The largest picture that is let in."""

    max_megapixels: float = 52.0
    max_side: int = 16_384
    """Pixels."""

    def check(self, width: int, height: int) -> None:
        """Refuse a size.

        Raises:
            BadInput: ``bad_dimensions`` for an empty picture, ``too_many_pixels`` beyond a limit.
        """
        if width < 1 or height < 1:
            raise BadInput("bad_dimensions", f"The header says {width} × {height} pixels.")
        if max(width, height) > self.max_side:
            raise BadInput(
                "too_many_pixels",
                f"The photo has {width} × {height} pixels; a side may have {self.max_side}.",
            )
        if width * height > self.max_megapixels * 1e6:
            raise BadInput(
                "too_many_pixels",
                f"The photo has {width * height / 1e6:.1f} megapixels; {self.max_megapixels:g} "
                "are allowed.",
            )
