"""Animations: every frame with the same noise, each as long as before."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageSequence

from photoward.core.imaging.codec import animation
from photoward.core.imaging.codec.animation import Animation
from photoward.core.imaging.header import MOST_FRAMES
from tests.core.imaging.pictures import bench, file, image, noise, reopened, smooth

SIZE = (60, 40)


def moving(mode: str = "RGB", count: int = 3) -> list[Image.Image]:
    """A square that wanders over a picture that stands still."""
    found = []
    for number in range(count):
        frame = smooth(SIZE, "RGBA" if mode == "RGBA" else "RGB")
        frame.paste((200, 30, 30), (number * 7 % 50, 4, number * 7 % 50 + 8, 12))
        if mode == "RGBA":
            frame.paste((0, 0, 0, 0), (0, 30, 60, 40))
        found.append(frame.quantize(16) if mode == "P" else frame)
    return found


def animated(frames: list[Image.Image], kind: str, duration: Any = 40, **how: Any) -> bytes:  # noqa: ANN401  # Pillow's
    return file(frames[0], kind, save_all=True, append_images=frames[1:], duration=duration, **how)


def seen(data: bytes, every: int = 10) -> tuple[list[np.ndarray[Any, Any]], int]:
    """What is shown every few milliseconds, and how often it plays."""
    found, gif = [], reopened(data).format == "GIF"
    opened = reopened(data)
    for frame in ImageSequence.Iterator(opened):
        frame.load()
        samples = np.asarray(frame.convert("RGBA"), int)
        found += [samples] * round((opened.info.get("duration") or animation.UNSAID_MS) / every)
    plays = opened.info.get("loop")
    return found, (1 if plays is None else plays and plays + 1) if gif else plays or 0


@pytest.mark.parametrize("loop", [None, 0, 2])
@pytest.mark.parametrize(
    ("kind", "output", "mode"),
    [
        ("GIF", "png", "P"),
        ("PNG", "png", "RGB"),
        ("PNG", "png", "RGBA"),
        ("WEBP", "webp", "RGB"),
        ("WEBP", "webp", "RGBA"),
        ("GIF", "webp", "P"),
        ("PNG", "webp", "RGBA"),
    ],
)
def test_all_frames_come_back_in_time_with_one_noise(
    kind: str, output: str, mode: str, loop: int | None
) -> None:
    how: dict[str, Any] = {} if loop is None else {"loop": loop}
    if kind == "WEBP":
        how |= {"lossless": True}
    data = animated(moving(mode), kind, [40, 100, 70], **how)
    answer, finished = bench(data).finish(noise(), 8, output)
    assert "error" not in answer, answer
    (before, plays), (after, plays_after) = seen(data), seen(finished)
    assert (len(before), plays) == (len(after), plays_after) == (21, plays)
    changes = [b - a for a, b in zip(before, after, strict=True)]
    assert max(abs(one).max() for one in changes) == answer["measured"]["linf"] <= 8
    assert all(one.any() for one in changes)
    still = np.s_[14:28, :, :3]  # the square never comes here
    assert all((one[still] == changes[0][still]).all() for one in changes)
    assert not any(one[..., 3].any() for one in changes)
    assert bench(data).finish(noise(), 8, output)[1] == finished
    assert reopened(finished).format == output.upper()


def test_a_lossy_animation_stays_lossy_and_near() -> None:
    data = animated(moving(), "WEBP", quality=90)
    answer, finished = bench(data).finish(noise(), 8, "webp")
    assert "error" not in answer, answer
    assert answer["measured"]["psnr_db"] > 28
    assert answer["measured"]["survival"] > 0.7
    assert len(seen(finished)[0]) == len(seen(data)[0])


def test_frames_that_only_repeat_are_one_and_a_still_of_many_is_a_still() -> None:
    one, two, three = moving()
    made = bench(animated([one, one, two, two, three], "PNG", [10, 20, 30, 40, 50]))
    picture = made.server.pictures[1]
    assert picture.motion == Animation((30, 70, 50), 0)
    still = bench(animated([one, one], "PNG"))
    assert still.server.pictures[1].motion is None
    answer, finished = still.finish(noise(), 8, "jpeg")
    assert "error" not in answer, answer
    assert reopened(finished).size == SIZE


def test_what_was_shown_to_viewers_without_animations_goes() -> None:
    hidden, *frames = moving(count=4)
    hidden.paste((1, 2, 3), (0, 0, *SIZE))
    data = animated([hidden, *frames], "PNG", default_image=True)
    finished = bench(data).finish(noise(), 8, "png")[1]
    first = np.asarray(reopened(finished), int)
    assert abs(first - np.asarray(frames[0], int)).max() <= 8
    assert len(seen(finished)[0]) == 3 * 4


@pytest.mark.parametrize("output", ["jpeg", "avif"])
def test_motion_is_not_lost_in_a_format_without(output: str) -> None:
    answer, _ = bench(animated(moving(), "PNG")).finish(noise(), 8, output)
    assert answer["error"] == "unsupported_output"


def test_a_frame_larger_than_its_picture_is_refused_before_it_is_made() -> None:
    data = bytearray(animated(moving("P"), "GIF"))
    second = data.rindex(b"\x2c", 0, data.rindex(b"\x21\xf9"))
    data[second + 5 : second + 9] = b"\xff\xff\xff\xff"
    assert bench(bytes(data)).opened["error"] == "corrupt"


def test_too_many_frames_or_pixels_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    dots = [Image.new("L", (2, 1), number % 256) for number in range(MOST_FRAMES + 1)]
    many = bench(animated(dots, "PNG"))
    assert many.opened["error"] == "unsupported_animation"
    assert "error" not in bench(animated(dots[1:], "PNG")).opened
    monkeypatch.setattr("tests.core.imaging.pictures.MOST_PIXELS", 3 * 60 * 40 - 1)
    assert bench(animated(moving(), "PNG")).opened["error"] == "too_many_pixels"


def test_a_frame_too_long_for_a_png_is_refused() -> None:
    data = animated(moving(), "GIF", 70_000)
    assert bench(data).finish(noise(), 8, "png")[0]["error"] == "unsupported_output"
    assert "error" not in bench(data).finish(noise(), 8, "webp")[0]


@given(st.lists(st.integers(1, 500), min_size=1, max_size=20), st.integers(0, 10_000))
def test_at_every_moment_one_frame_is_shown(durations: list[int], moment: int) -> None:
    moves = Animation(tuple(durations), 0)
    ends = list(itertools.accumulate(durations))
    if moment < ends[-1]:
        number = moves.shown(moment)
        assert ends[number] - durations[number] <= moment < ends[number]


@given(st.integers(1, 5), st.sampled_from(["L", "LA", "RGB", "RGBA", "P"]), st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_any_frames_keep_bound_opacity_and_size(count: int, mode: str, seed: int) -> None:
    frames = [image(mode, (23, 17), seed + number) for number in range(count)]
    data = animated(frames, "PNG")
    answer, finished = bench(data).finish(noise(), 8, "png")
    assert "error" not in answer, answer
    assert answer["measured"]["linf"] <= 8
    assert len(seen(finished)[0]) == len(seen(data)[0])
    assert reopened(finished).size == (23, 17)
