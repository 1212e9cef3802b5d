"""Where the eye forgives a change."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from photoward.models import masking
from photoward.models.methods.base import Brief
from photoward.models.methods.sem import SEM
from tests.support import surrogates


def flat(*colour: int, side: int = 32) -> torch.Tensor:
    return (torch.tensor(colour) / 255).reshape(1, 3, 1, 1).expand(1, 3, side, side)


def textured(side: int = 32) -> torch.Tensor:
    random = torch.Generator().manual_seed(0)
    return torch.rand((1, 1, side, side), generator=random).expand(1, 3, side, side)


def test_the_difference_that_is_noticed_in_flat_regions_is_the_papers() -> None:
    levels = [0, 31.75, 127, 255]
    found = [masking.noticeable(torch.full((1, 1, 9, 9), level))[0, 0, 4, 4] for level in levels]
    assert [round(float(one), 2) for one in found] == [20, 11.5, 3, 6]


def test_texture_and_darkness_take_all_and_flat_grey_takes_least() -> None:
    assert masking.share(textured()).mean() > 0.9
    assert masking.share(flat(0, 0, 0)).min() == 1
    assert masking.share(flat(130, 130, 130)).max() < 0.4
    assert masking.share(flat(250, 250, 250)).max() < 0.8


def test_skin_takes_less_than_other_colours_as_bright() -> None:
    skin, other = masking.share(flat(224, 172, 105)), masking.share(flat(105, 190, 224))
    assert skin.max() == pytest.approx(masking.LEAST * masking.SKIN, abs=0.15)
    assert skin.max() < other.min()


@pytest.mark.parametrize("shaped", [True, False])
def test_noise_stays_within_the_share_of_its_budget(shaped: bool) -> None:  # noqa: FBT001  # a parameter
    method = SEM(surrogates.surrogate())
    half = torch.cat([flat(130, 130, 130)[..., :16], textured()[..., 16:]], dim=3)
    pictures = (half * 255).round().byte().permute(0, 2, 3, 1).numpy()
    random = np.random.default_rng(0)
    brief = Brief(
        epsilon=8, stream=random.integers(0, 256, method.stream_bytes(), np.uint8), aspect=1,
        direction=np.eye(1, 128, dtype=np.float32)[0], shaped=shaped,
    )  # fmt: skip
    noise = np.abs(method.perturb(pictures, [brief])[0])
    assert noise[:, 18:].max() == 8
    assert (noise[:, :14].max() == 3) if shaped else (noise[:, :14].max() == 8)
