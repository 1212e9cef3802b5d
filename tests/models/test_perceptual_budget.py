"""The eye's budget: where and at which frequency noise may be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from photoward.core.catalogue import PRESETS, Strength
from photoward.models.perceptual_budget import TO_YCC, Allowed, Budget, _dct, masking

STRENGTH = Strength(epsilon=12, flat=2, rms=2.0, luma=10, chroma=24)
GRID = 64


def scene() -> torch.Tensor:
    """Flat grey on the left, noise on the right: ``[1, 3, 2G, 2G]``."""
    x = torch.full((1, 3, 2 * GRID, 2 * GRID), 0.6)
    grain = torch.rand((2 * GRID, GRID), generator=torch.Generator().manual_seed(0))
    x[:, :, :, GRID:] = grain
    return x


def budget(x: torch.Tensor, strength: Strength | None = STRENGTH, side: int = 1200) -> Budget:
    allowed = Allowed(strength, 1.0, side) if strength else None
    return Budget(x, GRID, torch.tensor([12 / 255]), [allowed])


def wild(seed: int = 0) -> torch.Tensor:
    return torch.randn((1, 3, GRID, GRID), generator=torch.Generator().manual_seed(seed))


def spectrum(change: torch.Tensor) -> torch.Tensor:
    """Squared DCT coefficients of luma and chromas, ``[3, G, G]``."""
    basis = _dct(GRID)
    mixed = torch.einsum("ij,jhw->ihw", torch.tensor(TO_YCC), change[0])
    return (basis @ mixed @ basis.T).square()


def test_texture_hides_and_flatness_does_not_up_to_the_very_edge() -> None:
    limit = budget(scene()).limit[0, 0] * 255
    half = GRID // 2
    assert limit[:, : half - 2].max() == pytest.approx(2, abs=0.01)
    assert limit[:, half + 2 :].mean() > 7
    assert limit.max() <= 12.01
    line = torch.full((1, 3, 2 * GRID, 2 * GRID), 0.9)
    line[:, :, :, GRID] = 0  # a letter's stroke on paper
    assert masking(line)[0].amax() == 0


def test_darkness_hides_less() -> None:
    assert budget(scene() * 0.1).limit.mean() < 0.6 * budget(scene()).limit.mean()


@pytest.mark.parametrize(("side", "count"), [(32, 32), (224, 5)])
def test_a_picture_has_the_same_limits_alone_and_among_others(side: int, count: int) -> None:
    x = torch.rand((count, 3, side, side), generator=torch.Generator().manual_seed(1))
    allowed = Allowed(STRENGTH, 1.0, side)
    together = Budget(x, side, torch.full((count,), 12 / 255), [allowed] * count).limit
    for i in range(count):
        alone = Budget(x[i : i + 1], side, torch.tensor([12 / 255]), [allowed]).limit
        assert torch.equal(alone[0], together[i])


def test_slow_changes_are_taken_out_and_fast_ones_are_left() -> None:
    found = spectrum(budget(scene()).cut(wild()))
    cycles = torch.hypot(*torch.meshgrid(*[torch.arange(GRID) / 2] * 2, indexing="ij"))
    assert found[0][cycles < 10].max() < 1e-6
    assert found[1:, cycles < 24].max() < 1e-6
    assert found[0][cycles >= 10].mean() > 0.1
    assert found[1:, cycles >= 24].mean() > 0.01


def test_without_a_cut_off_for_colour_there_is_no_colour() -> None:
    grey = replace(STRENGTH, chroma=None)
    found = budget(scene(), grey).cut(wild())
    assert (found - found[:, :1]).abs().max() < 1e-6
    assert torch.allclose(spectrum(found)[0], spectrum(budget(scene()).cut(wild()))[0], atol=1e-4)
    x = scene().expand(2, -1, -1, -1)
    allowed = [Allowed(grey, 1.0, 1200), Allowed(STRENGTH, 1.0, 1200)]
    both = Budget(x, GRID, torch.tensor([12 / 255] * 2), allowed).cut(wild().expand(2, -1, -1, -1))
    assert torch.allclose(both[:1], found, atol=1e-5)
    assert torch.allclose(both[1:], budget(scene()).cut(wild()), atol=1e-5)


def test_cut_offs_are_of_the_longer_side_and_fall_with_small_pictures() -> None:
    wide = Budget(scene(), GRID, torch.tensor([12 / 255]), [Allowed(STRENGTH, 2.0, 1200)])
    kept = spectrum(wide.cut(wild()))[0] > 1e-6
    assert not kept[4, 0]  # 2 cycles along half the length are 4 along all of it
    assert kept[10, 0]
    assert not kept[0, 10]
    assert kept[0, 20]
    icon = budget(scene(), side=32)
    assert (icon.cut(wild()) - wild()).square().mean() < 0.01


def test_all_limits_hold_at_once() -> None:
    own = budget(scene())
    final = own.project(wild(), rounds=3)
    assert final.square().mean().sqrt() <= 2.001 / 255
    assert (final.abs() <= own.limit + 1e-6).all()
    changed = own.pictures + final
    assert changed.min() >= 0
    assert changed.max() <= 1
    found = spectrum(final)[1:]
    cycles = torch.hypot(*torch.meshgrid(*[torch.arange(GRID) / 2] * 2, indexing="ij"))
    assert found[:, cycles < 24].sum() < 0.15 * found.sum()


def test_without_the_eye_epsilon_alone_counts() -> None:
    own = budget(scene(), None)
    assert (own.limit == 12 / 255).all()
    assert torch.equal(own.cut(wild()), wild())
    assert own.project(wild()).abs().max() == pytest.approx(12 / 255)


def test_a_mixed_batch_keeps_each_pictures_own_budget() -> None:
    x = scene().expand(2, -1, -1, -1)
    both = Budget(x, GRID, torch.tensor([12 / 255, 8 / 255]), [Allowed(STRENGTH, 1.0, 1200), None])
    noise = wild().expand(2, -1, -1, -1)
    found = both.project(noise, rounds=3)
    assert torch.allclose(found[:1], budget(scene()).project(wild(), rounds=3), atol=1e-6)
    assert found[1].abs().max() == pytest.approx(8 / 255)
    assert torch.equal(both.take(torch.tensor([1])).project(noise[1:]), found[1:])


def test_presets_grow_in_every_respect() -> None:
    levels = [PRESETS[name] for name in ("subtle", "standard", "strong")]
    for name in ("epsilon", "flat", "rms"):
        assert np.all(np.diff([getattr(one, name) for one in levels]) >= 0)
    assert np.all(np.diff([one.luma for one in levels]) <= 0)
