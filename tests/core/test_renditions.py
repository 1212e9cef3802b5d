"""Where renditions lie in a photo: never enlarged, of the shape that was asked for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from photoward.core.renditions import FITS, GRAVITIES, RenditionRequest, placements

SIDES = st.integers(1, 5000)
REQUESTS = st.builds(
    RenditionRequest,
    name=st.sampled_from(["a", "b", ""]),
    width=SIDES,
    height=SIDES,
    fit=st.sampled_from(FITS),
    gravity=st.sampled_from(sorted(GRAVITIES)),
)


@given(REQUESTS, SIDES, SIDES)
def test_nothing_is_enlarged_and_a_crop_lies_in_the_photo(
    wanted: RenditionRequest, width: int, height: int
) -> None:
    found = wanted.placed(width, height)
    assert 1 <= found.width <= min(width, wanted.width or width)
    assert 1 <= found.height <= min(height, wanted.height or height)
    left, top, right, bottom = found.box or (0, 0, width, height)
    assert -1e-6 <= left < right <= width + 1e-6
    assert -1e-6 <= top < bottom <= height + 1e-6
    if wanted.fit == "cover":
        scale = (right - left) / found.width
        assert abs((bottom - top) / found.height - scale) < 1e-6 * max(width, height)


@given(st.lists(REQUESTS, max_size=6), SIDES, SIDES)
def test_names_are_unique_and_the_largest_comes_first(
    wanted: list[RenditionRequest], width: int, height: int
) -> None:
    found = placements(tuple(wanted), width, height)
    assert len({one.name for one in found}) == len(found) >= 1
    areas = [one.width * one.height for one in found]
    assert areas == sorted(areas, reverse=True)


def test_gravity_says_what_a_crop_keeps() -> None:
    def box(gravity: str) -> object:
        return RenditionRequest("t", 100, 100, "cover", gravity).placed(400, 200).box

    assert box("center") == (100, 0, 300, 200)
    assert box("west") == box("northwest") == box("southwest") == (0, 0, 200, 200)
    assert box("east") == (200, 0, 400, 200)
    tall = RenditionRequest("t", 100, 100, "cover", "south").placed(200, 400)
    assert tall.box == (0, 200, 200, 400)


def test_one_side_is_enough_and_a_small_photo_is_left() -> None:
    assert RenditionRequest("t", width=100).placed(400, 200).size == (100, 50)
    assert RenditionRequest("t", height=100).placed(400, 200).size == (200, 100)
    small = RenditionRequest("t", 150, 150, "cover").placed(100, 300)
    assert (small.size, small.box) == ((100, 150), (0, 75, 100, 225))
    assert RenditionRequest("t", 150, 100, "fill").placed(400, 400).size == (150, 100)
