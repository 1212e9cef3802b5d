"""Units and the ε-projection."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from photoward.models import pixels

samples = st.integers(0, 255)


@given(st.lists(samples, min_size=12, max_size=12))
def test_bytes_survive_the_way_to_floats_and_back(values: list[int]) -> None:
    picture = np.array(values, np.uint8).reshape(1, 2, 2, 3)
    floats = pixels.from_bytes(picture)
    assert floats.shape == (1, 3, 2, 2)
    assert (pixels.to_levels(floats) == picture).all()


@given(st.floats(-3, 3, width=32), st.floats(0, 1, width=32), st.floats(0, 0.25, width=32))
def test_projection_keeps_both_bounds(delta: float, pixel: float, epsilon: float) -> None:
    x = torch.full((1, 3, 1, 1), pixel)
    bounded = pixels.project(torch.full_like(x, delta), x, epsilon)
    assert bounded.abs().max() <= np.float32(epsilon)
    assert (x + bounded).min() >= 0
    assert (x + bounded).max() <= 1


@given(st.floats(-0.015625, 0.015625, width=32))
def test_projection_leaves_what_is_inside(delta: float) -> None:
    x = torch.full((1, 3, 2, 2), 0.5)
    inside = torch.full_like(x, delta)
    assert pixels.project(inside, x, 0.03).equal(inside)


def test_each_picture_has_its_own_budget() -> None:
    x = torch.full((2, 3, 1, 1), 0.5)
    epsilon = torch.tensor([2 / 255, 8 / 255]).reshape(2, 1, 1, 1)
    bounded = pixels.project(torch.ones_like(x), x, epsilon)
    assert bounded[:, 0, 0, 0].mul(255).round().tolist() == [2, 8]
