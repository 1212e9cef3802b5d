"""How much of the budget the eye forgives where: less in flat, bright and skin-like regions.

The just-noticeable difference of Chou and Li (IEEE Trans. Circuits and Systems for Video Technology
5(6), 1995): of luminance adaptation, and of spatial masking by the strongest of four gradients.
Skin is what Chai and Ngan (the same, 9(4), 1999) call so, by its chroma.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from photoward.models.pixels import LEVELS, LUMA_WEIGHTS

FULL = 8.0
"""The just-noticeable difference, in 1/255, from which on the whole budget is spent."""

LEAST = 0.35
"""Share of the budget that is spent even where all of it would be seen."""

SKIN = 0.75
"""What is left of the share where the colour is that of skin."""

_CB, _CR = (77, 127), (133, 173)

_ACROSS = ((0, 0, 0, 0, 0), (1, 3, 8, 3, 1), (0, 0, 0, 0, 0), (-1, -3, -8, -3, -1), (0, 0, 0, 0, 0))
_SLANTED = (
    (0, 0, 1, 0, 0), (0, 8, 3, 0, 0), (1, 3, 0, -3, -1), (0, 0, -3, -8, 0), (0, 0, -1, 0, 0)
)  # fmt: skip
_AROUND = ((1, 1, 1, 1, 1), (1, 2, 2, 2, 1), (1, 2, 0, 2, 1), (1, 2, 2, 2, 1), (1, 1, 1, 1, 1))


def share(pictures: torch.Tensor) -> torch.Tensor:
    """Share ``[N, 1, H, W]`` of the budget in (0, 1] for pictures ``[N, 3, H, W]`` in [0, 1]."""
    samples = pictures * LEVELS
    red, green, blue = samples.split(1, dim=1)
    luma = sum(w * c for w, c in zip(LUMA_WEIGHTS, (red, green, blue), strict=True))
    found = (noticeable(luma) / FULL).clamp(LEAST, 1)
    cb, cr = 128 + 0.564 * (blue - luma), 128 + 0.713 * (red - luma)
    skin = (cb >= _CB[0]) & (cb <= _CB[1]) & (cr >= _CR[0]) & (cr <= _CR[1])
    return torch.where(skin, found * SKIN, found)


def noticeable(luma: torch.Tensor) -> torch.Tensor:
    """The just-noticeable difference of luma ``[N, 1, H, W]``, both in 1/255."""
    around = _filtered(luma, _AROUND) / 32
    dark = 17 * (1 - (around / 127).sqrt()) + 3
    bright = 3 / 128 * (around - 127) + 3
    adapted = torch.where(around <= 127, dark, bright)  # noqa: PLR2004  # the paper's middle
    across, slanted = torch.tensor(_ACROSS), torch.tensor(_SLANTED)
    kernels = (across, across.T, slanted, slanted.flip(1))
    gradient = torch.stack([_filtered(luma, k).abs() for k in kernels]).amax(0) / 16
    masked = gradient * (around * 0.0001 + 0.115) + (0.5 - around * 0.01).clamp(min=0)
    return torch.maximum(adapted, masked)


def _filtered(luma: torch.Tensor, kernel: Any) -> torch.Tensor:  # noqa: ANN401  # 5 × 5 numbers
    weights = torch.as_tensor(kernel, dtype=luma.dtype, device=luma.device)[None, None]
    return functional.conv2d(functional.pad(luma, (2, 2, 2, 2), mode="replicate"), weights)
