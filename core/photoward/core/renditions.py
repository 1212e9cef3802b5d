"""The files that one photo leaves as: in which size, cropped how, in which format.

Every file is made of the decoded original and then protected; none is larger than the original.
"""

from __future__ import annotations

from dataclasses import dataclass

FITS = ("contain", "cover", "fill")
"""How a photo is brought into a box: whole within it; filling it, what stands out cropped; or
stretched to it. The first is the default."""

GRAVITIES: dict[str, tuple[float, float]] = {
    "center": (0.5, 0.5),
    "north": (0.5, 0.0),
    "northeast": (1.0, 0.0),
    "east": (1.0, 0.5),
    "southeast": (1.0, 1.0),
    "south": (0.5, 1.0),
    "southwest": (0.0, 1.0),
    "west": (0.0, 0.5),
    "northwest": (0.0, 0.0),
}
"""Which part of a photo ``cover`` keeps → shares of what is cropped at the left and at the top."""

Box = tuple[float, float, float, float]
"""Left, top, right and bottom, in pixels of the original as it is displayed."""


@dataclass(frozen=True)
class RenditionRequest:
    """One file that was asked for."""

    name: str = ""
    """Its name among the photo's files; empty: width and height in which it leaves."""
    width: int | None = None
    """Pixels; None: whatever follows from the height."""
    height: int | None = None
    fit: str = FITS[0]
    gravity: str = "center"
    format: str | None = None
    """None: that of the photo's other files."""
    quality: int | str | None = None
    """None: that of the photo's other files."""

    def placed(self, width: int, height: int) -> Placement:
        """Where it lies in a photo of this size."""
        box_width, box_height = self.width or width, self.height or height
        if self.fit == "contain":
            return self._placement(_within(width, height, box_width, box_height), None)
        size = min(box_width, width), min(box_height, height)
        return self._placement(
            size, None if self.fit == "fill" else self._crop(size, width, height)
        )

    def _crop(self, size: tuple[int, int], width: int, height: int) -> Box | None:
        scale = max(size[0] / width, size[1] / height)
        shown, high = min(width, size[0] / scale), min(height, size[1] / scale)
        if shown >= width and high >= height:
            return None
        across, down = GRAVITIES[self.gravity]
        left, top = (width - shown) * across, (height - high) * down
        return left, top, left + shown, top + high

    def _placement(self, size: tuple[int, int], box: Box | None) -> Placement:
        return Placement(self.name or f"{size[0]}x{size[1]}", *size, box, self.format, self.quality)


@dataclass(frozen=True)
class Placement:
    """One file of a certain photo."""

    name: str
    """Unique among the photo's files."""
    width: int
    """In which it leaves, pixels."""
    height: int
    box: Box | None
    """The part of the photo that it shows; None: all."""
    format: str | None
    """As asked for; None: that of the photo's other files."""
    quality: int | str | None
    """The same."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.width, self.height


def _within(width: int, height: int, box_width: int, box_height: int) -> tuple[int, int]:
    """The largest size of a photo's shape in a box."""
    if width <= box_width and height <= box_height:
        return width, height
    if box_width * height <= box_height * width:
        return box_width, max(1, round(height * box_width / width))
    return max(1, round(width * box_height / height)), box_height


def of_side(side: int) -> RenditionRequest:
    """The whole photo, its longer side brought down to so many pixels."""
    return RenditionRequest(width=side, height=side)


def placements(
    wanted: tuple[RenditionRequest, ...], width: int, height: int
) -> tuple[Placement, ...]:
    """The files of a photo of this size, each name once, the largest first.

    Without a request it is one: the whole photo in its own size.
    """
    found = {one.name: one for one in (each.placed(width, height) for each in wanted)}
    if not found:
        return (RenditionRequest().placed(width, height),)
    return tuple(sorted(found.values(), key=lambda one: -one.width * one.height))
