"""The differentiable JPEG, beside the real one."""

from __future__ import annotations

import io

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from photoward.models.jpeg import cosines, jpeg, smooth, straight_through
from photoward.models.pixels import LEVELS, from_bytes


def cut(name: str, height: int = 96, width: int = 128) -> Image.Image:
    whole: Image.Image = Image.fromarray(getattr(skimage.data, name)())
    return whole.crop((100, 60, 100 + width, 60 + height))


def saved(picture: Image.Image, quality: int, subsampling: int) -> torch.Tensor:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality, subsampling=subsampling)
    return tensor(Image.open(file))


def tensor(picture: Image.Image) -> torch.Tensor:
    return from_bytes(np.asarray(picture)[None])


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
@pytest.mark.parametrize("quality", [10, 30, 50, 75, 90])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_it_shows_what_pillow_saves(name: str, quality: int, subsampling: int) -> None:
    picture = cut(name)
    real = saved(picture, quality, subsampling)
    ours = jpeg(tensor(picture), torch.tensor([quality]), subsample=subsampling == 2)
    off = (ours - real).abs().mean().item() * LEVELS
    loss = (tensor(picture) - real).abs().mean().item() * LEVELS
    assert off < 1.2, (off, loss)
    assert off < loss / 2


@pytest.mark.parametrize("size", [(32, 32), (40, 25)])
def test_sides_that_are_no_multiple_of_sixteen_are_padded(size: tuple[int, int]) -> None:
    picture = cut("astronaut", *size)
    ours = jpeg(tensor(picture), torch.tensor([50]))
    assert ours.shape == (1, 3, *size)
    assert (ours - saved(picture, 50, 2)).abs().mean().item() * LEVELS < 1


def test_each_picture_has_its_own_quality() -> None:
    both = torch.cat([tensor(cut("astronaut")), tensor(cut("coffee"))])
    quality = torch.tensor([20, 80])
    together = jpeg(both, quality)
    for i in range(2):
        alone = jpeg(both[i : i + 1], quality[i : i + 1])
        assert torch.allclose(together[i : i + 1], alone, atol=1e-5)
    assert together.equal(jpeg(both, quality))


@pytest.mark.parametrize("rounding", [straight_through, smooth])
def test_a_gradient_comes_back(rounding: object) -> None:
    x = tensor(cut("chelsea")).requires_grad_()
    shown = jpeg(x, torch.tensor([60]), rounding=rounding)  # type: ignore[arg-type]  # one of the two
    (gradient,) = torch.autograd.grad(shown.square().sum(), x)
    assert gradient.isfinite().all()
    assert gradient.abs().mean() > 1e-3


def test_the_smooth_rounding_has_the_slope_of_its_formula() -> None:
    x = torch.tensor([-1.3, 0.0, 0.25, 2.5, 7.9], requires_grad=True)
    y = smooth(x)
    assert torch.allclose(y, torch.tensor([-1.027, 0.0, 0.015625, 2.125, 7.999]))
    (slope,) = torch.autograd.grad(y.sum(), x)
    assert torch.allclose(slope, 3 * (x - x.round()) ** 2)


def test_cosines_are_orthonormal() -> None:
    basis = cosines(9)
    assert torch.allclose(basis @ basis.T, torch.eye(9), atol=1e-5)
