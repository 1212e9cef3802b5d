"""Random views: crops, flips and resizes as small matrices."""

from __future__ import annotations

import pytest
import torch
from torchvision.transforms import functional

from photoward.models import views

SIZE = 32


def uniforms(**fixed: float) -> torch.Tensor:
    order = ["top", "left", "flip", "scale", "ratio"]
    return torch.tensor([[fixed.get(name, 0.5) for name in order]])


@pytest.fixture
def picture() -> torch.Tensor:
    return torch.rand(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("top", [0.0, 0.3, 0.5, 0.99])
@pytest.mark.parametrize("flip", [0.1, 0.9])
def test_small_pictures_get_padded_crops_and_flips(
    picture: torch.Tensor, top: float, flip: float
) -> None:
    seen = views.draw(uniforms(top=top, left=0.2, flip=flip), size=SIZE, grid=SIZE)(picture)
    padded = functional.pad(picture, [views.PAD])
    y, x = int(top * 9), int(0.2 * 9)
    expected = functional.crop(padded, y, x, SIZE, SIZE)
    if flip < 0.5:
        expected = functional.hflip(expected)
    assert seen.equal(expected)


def test_a_photo_shrunk_whole_looks_as_antialiased_bilinear_makes_it() -> None:
    photo = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    whole = uniforms(flip=0.9, scale=1.0, ratio=0.5)
    seen = views.draw(whole, size=SIZE, grid=64)(photo)
    expected = functional.resize(photo, [SIZE, SIZE], antialias=True)
    assert torch.allclose(seen[..., 2:-2, 2:-2], expected[..., 2:-2, 2:-2], atol=1e-5)


def test_views_undo_the_squashing_of_wide_photos() -> None:
    """A circle in a 2:1 photo is an ellipse on the square grid and a circle in the view."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, 64), torch.linspace(-2, 2, 64), indexing="ij")
    photo = ((x**2 + y**2) < 0.5).float().expand(1, 3, 64, 64)
    seen = views.centred(size=SIZE, grid=64, aspect=torch.tensor([2.0]))(photo)[0, 0] > 0.5
    assert abs(int(seen.any(0).sum()) - int(seen.any(1).sum())) <= 1


def test_the_centred_view_of_a_small_picture_is_the_picture(picture: torch.Tensor) -> None:
    view = views.centred(size=SIZE, grid=SIZE, aspect=torch.ones(1))
    assert view(picture).equal(picture)


def test_a_constant_photo_stays_constant_in_every_view() -> None:
    n = 64
    drawn = torch.rand(n, views.DRAWS, generator=torch.Generator().manual_seed(2))
    aspect = torch.linspace(0.2, 5, n)
    seen = views.draw(drawn, size=SIZE, grid=64, aspect=aspect)(torch.full((n, 3, 64, 64), 0.7))
    assert torch.allclose(seen, torch.full_like(seen, 0.7), atol=1e-5)


def test_a_gradient_comes_back_through_the_view(picture: torch.Tensor) -> None:
    """Descending through a view moves only what the view shows."""
    x = picture.clone().requires_grad_()
    views.draw(uniforms(top=0.0, left=0.0, flip=0.9), size=SIZE, grid=SIZE)(x).sum().backward()
    assert x.grad is not None
    assert x.grad[..., :28, :28].eq(1).all()
    assert x.grad[..., 28:, :].eq(0).all()


def test_with_an_overhang_the_border_is_seen_about_half_as_often_as_the_middle() -> None:
    drawn = torch.rand(4000, views.DRAWS, generator=torch.Generator().manual_seed(3))
    weights = {}
    for overhang in (0.0, views.OVERHANG):
        seen = views.draw(drawn, size=SIZE, grid=64, overhang=overhang)
        rows = seen.rows.sum((0, 1))
        weights[overhang] = float(rows[0] / rows[28:36].mean())
    assert weights[0.0] < 0.25
    assert weights[views.OVERHANG] > 0.4
