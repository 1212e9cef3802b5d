"""Dimension and label sharpness of sets whose figures are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from photoward.models.evaluation.metrics.intrinsic_dimension import (
    Intrinsic,
    between,
    intrinsic,
    label_sharpness,
    levina_bickel,
    two_nn,
)
from photoward.models.training.data import LabelledPictures

if TYPE_CHECKING:
    from collections.abc import Callable


def points(count: int, dimension: int, ambient: int = 60) -> torch.Tensor:
    """Uniform in a turned cube of ``dimension`` inside a space of ``ambient``."""
    generator = torch.Generator().manual_seed(dimension)
    basis, _ = torch.linalg.qr(torch.randn((ambient, dimension), generator=generator))
    found: torch.Tensor = torch.rand((count, dimension), generator=generator) @ basis.T
    return found


@pytest.mark.parametrize(("dimension", "within"), [(1, 0.15), (2, 0.3), (5, 0.8), (10, 2.5)])
@pytest.mark.parametrize("estimate", [two_nn, levina_bickel])
def test_the_dimension_of_a_cube_is_found(
    estimate: Callable[[torch.Tensor], float | None], dimension: int, within: float
) -> None:
    found = estimate(between(points(600, dimension)))
    assert found == pytest.approx(dimension, abs=within)


def test_copies_have_no_say() -> None:
    some = points(300, 3)
    twice = torch.cat([some, some[:40]])
    for estimate in (two_nn, levina_bickel):
        assert estimate(between(twice)) == pytest.approx(estimate(between(some)), rel=0.15)


def test_too_few_pictures_have_no_dimension() -> None:
    same = torch.zeros((30, 4))
    assert two_nn(between(same)) is None
    assert levina_bickel(between(same)) is None
    assert two_nn(between(points(2, 1))) is None


def test_sharpness_is_of_the_nearest_pictures_of_different_labels() -> None:
    x = torch.tensor([[0.0, 0.0], [0.1, 0.0], [0.5, 0.0], [0.7, 0.0]])
    assert label_sharpness(between(x), torch.tensor([0, 0, 1, 1])) == pytest.approx(2.5)
    assert label_sharpness(between(x), torch.tensor([0, 1, 1, 2])) == pytest.approx(10)
    assert label_sharpness(between(x), torch.zeros(4)) == 0
    copies = torch.cat([x, x[:1]])
    assert label_sharpness(between(copies), torch.tensor([0, 0, 1, 1, 1])) == pytest.approx(10)


@pytest.mark.parametrize(("dimension", "share"), [(1.0, 1 / 1.1), (20.0, 0.149), (40.0, 0.0221)])
def test_the_fewer_dimensions_the_more_pictures_it_takes(dimension: float, share: float) -> None:
    found = Intrinsic(10_000, 1000, 3072, dimension, dimension, 0.1)
    assert found.undone_by() == pytest.approx(10_000 * share, rel=0.01)
    assert found.undone_by(10) == max(1, -(-int(1000 * share) // 100))


def test_a_set_of_pictures_has_its_figures() -> None:
    samples = (points(60, 2, 3 * 8 * 8) * 100 + 100).byte().reshape(60, 3, 8, 8)
    found = intrinsic(LabelledPictures(samples, torch.arange(60) % 3, ["a", "b", "c"])).described()
    assert (found["pictures"], found["compared"], found["samples"]) == (60, 60, 192)
    assert found["label_sharpness"] > 0
    assert 1 <= found["undone_by"] <= 60
