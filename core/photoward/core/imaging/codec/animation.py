"""What moves: the frames of an animation, how long each is shown, how often it plays.

Runs in a child only. Frames are whole pictures of one size and mode; how a format stores them, as
patches that are laid over each other, is Pillow's business.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageChops

from photoward.core.errors import BadInput
from photoward.core.imaging import bands
from photoward.core.imaging.header import MOST_FRAMES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FORMATS = ("gif", "png", "webp")
"""Whose frames are read; what others hold besides their first picture is left out."""

UNSAID_MS = 100
"""How long browsers show a frame that does not say."""


@dataclass(frozen=True)
class Animation:
    """The time of an animation."""

    durations: tuple[int, ...]
    """Milliseconds that each frame is shown."""
    plays: int
    """0: for ever."""

    @property
    def starts(self) -> list[int]:
        """When each frame begins, in milliseconds."""
        return list(itertools.accumulate(self.durations, initial=0))[:-1]

    def shown(self, moment: int) -> int:
        """The number of the frame that is seen at a moment."""
        return bisect_right(self.starts, moment) - 1


def read(
    file: Image.Image, plain: Callable[[Image.Image], Image.Image], most_pixels: float
) -> tuple[tuple[Image.Image, ...], Animation | None]:
    """All frames of an opened file; frames that only repeat the one before lengthen it.

    Args:
        file: what Pillow opened.
        plain: brings a frame to one of the modes that are worked with.
        most_pixels: of all frames together.

    Returns:
        The frames and their time; None of what stands still.

    Raises:
        BadInput: ``unsupported_animation`` or ``too_many_pixels``; whatever the decoder raises.
    """
    count = getattr(file, "n_frames", 1)
    # A PNG may hold a picture for viewers that know no animations: a second one, so it goes.
    first = 1 if getattr(file, "default_image", False) and count > 1 else 0
    size = file.size
    _check(count - first, size, most_pixels)
    found: list[Image.Image] = []
    durations: list[int] = []
    for number in range(first, count):
        file.seek(number)
        if file.size != size:
            raise BadInput("corrupt", "A frame is larger than the image.")
        file.load()
        said = file.info.get("duration") or UNSAID_MS
        duration = max(1, round(said)) if count > 1 else UNSAID_MS
        frame = plain(file.copy() if count > 1 else file)
        if found and _equal(found[-1], frame):
            durations[-1] += duration
            continue
        found.append(frame)
        durations.append(duration)
    if len(found) == 1:
        return tuple(found), None
    return tuple(_alike(found)), Animation(tuple(durations), _plays(file))


def _check(count: int, size: tuple[int, int], most_pixels: float) -> None:
    if count > MOST_FRAMES:
        raise BadInput(
            "unsupported_animation", f"The animation has {count} frames; {MOST_FRAMES} are allowed."
        )
    if count * size[0] * size[1] > most_pixels:
        raise BadInput(
            "too_many_pixels",
            f"The {count} frames have {count * size[0] * size[1] / 1e6:.1f} "
            f"megapixels together; {most_pixels / 1e6:g} are allowed.",
        )


def _equal(one: Image.Image, other: Image.Image) -> bool:
    if one.mode != other.mode:
        return False
    return ImageChops.difference(one, other).getbbox(alpha_only=False) is None


def _alike(frames: Sequence[Image.Image]) -> list[Image.Image]:
    """All in one mode, and without the colours that nobody can see: no format keeps them."""
    modes = {frame.mode for frame in frames}
    alpha, grey = any(map(bands.has_alpha, frames)), modes <= {"L", "LA"}
    wanted = ("LA" if alpha else "L") if grey else ("RGBA" if alpha else "RGB")
    converted = [frame if frame.mode == wanted else frame.convert(wanted) for frame in frames]
    for frame in converted if alpha else ():
        clear = frame.getchannel("A").point([255, *[0] * 255])
        frame.paste((0,) * len(frame.getbands()), mask=clear)
    return converted


def _plays(file: Image.Image) -> int:
    if file.format != "GIF":
        return int(file.info.get("loop", 0))
    again = file.info.get("loop")  # of a GIF: how often after the first time
    return 1 if again is None else again and again + 1
