"""The only place where pixel units are defined: 8-bit samples, unit floats, and budgets.

Everywhere in ``photoward.models`` a picture is RGB in [0, 1], NCHW, float32; a budget ε and a
perturbation δ live in that space. Files, APIs and people speak of 8-bit samples (ε in 1/255).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEVELS = 255
"""Steps between black and white in an 8-bit sample; 1/255 is the unit of every budget."""

LUMA_WEIGHTS = (0.299, 0.587, 0.114)
"""Of R, G and B in brightness: ITU-R BT.601, as Pillow's ``L`` and JFIF have it."""


def from_bytes(
    pictures: NDArray[np.uint8 | np.int16], device: torch.device | str = "cpu"
) -> torch.Tensor:
    """Turn 8-bit NHWC RGB samples, or steps between such, into a float32 NCHW tensor of units."""
    nchw = torch.tensor(pictures, device=device).permute(0, 3, 1, 2)
    return nchw.to(torch.float32).div_(LEVELS).contiguous()


def to_levels(perturbation: torch.Tensor) -> NDArray[np.int16]:
    """Round a perturbation (NCHW, unit floats) to whole 8-bit steps, NHWC int16."""
    levels = perturbation.detach().mul(LEVELS).round().permute(0, 2, 3, 1)
    return levels.to(torch.int16).cpu().contiguous().numpy()


def budget(levels: float) -> float:
    """An ε given in 1/255 as a unit-float radius."""
    return levels / LEVELS


def normalise(pictures: torch.Tensor) -> torch.Tensor:
    """What networks are fed: [-1, 1], channels last in memory.

    The only normalisation of surrogates and victims, so that no data set's figures are needed.
    """
    return pictures.mul(2).sub(1).contiguous(memory_format=torch.channels_last)


def project(
    perturbation: torch.Tensor, pictures: torch.Tensor, epsilon: torch.Tensor | float
) -> torch.Tensor:
    """Clip δ to the L∞ ball of radius ε and so that ``pictures + δ`` stays in [0, 1].

    Args:
        perturbation: δ, NCHW.
        pictures: x in [0, 1], same shape.
        epsilon: radius in unit floats; one number, or one per picture as ``[N, 1, 1, 1]``.
    """
    bounded = torch.minimum(
        torch.maximum(perturbation, -_like(epsilon, perturbation)), _like(epsilon, perturbation)
    )
    return torch.minimum(torch.maximum(bounded, -pictures), 1 - pictures)


def _like(epsilon: torch.Tensor | float, reference: torch.Tensor) -> torch.Tensor:
    return torch.as_tensor(epsilon, dtype=reference.dtype, device=reference.device)
