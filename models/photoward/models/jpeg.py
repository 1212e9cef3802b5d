"""JPEG as a differentiable function: what a host does to a picture, as noise can learn to survive.

Baseline JPEG of ITU-T T.81 with the tables of its Annex K, scaled by quality as libjpeg does, in
JFIF's colours. Everything linear is a matrix product, so that gradients are exact and repeatable on
every device; only rounding has to be given one. Entropy coding loses nothing and is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from photoward.models.pixels import LEVELS, LUMA_WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Callable

BLOCK, MIDDLE = 8, 128

# T.81, tables K.1 and K.2: steps of luminance and chrominance.
LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMA = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8 for _ in range(4)),
)

# JFIF 1.02: R, G, B to Y, Cb, Cr (the latter two about zero).
COLOURS = (
    LUMA_WEIGHTS,
    (-0.168735892, -0.331264108, 0.5),
    (0.5, -0.418687589, -0.081312411),
)


def straight_through(x: torch.Tensor) -> torch.Tensor:
    """Round; the gradient passes as if nothing had happened."""
    return x + (x.round() - x).detach()


def smooth(x: torch.Tensor) -> torch.Tensor:
    """Almost round: ⌊x⌉ + (x − ⌊x⌉)³ (Shin and Song, 2017, "JPEG-resistant adversarial images")."""
    whole = x.round().detach()
    return whole + (x - whole) ** 3


def jpeg(
    pictures: torch.Tensor,
    quality: torch.Tensor,
    *,
    subsample: bool = True,
    rounding: Callable[[torch.Tensor], torch.Tensor] = straight_through,
) -> torch.Tensor:
    """What a decoder shows of the pictures once they were saved as JPEG.

    Args:
        pictures: ``[N, 3, H, W]`` in [0, 1].
        quality: ``[N]`` whole numbers from 1 to 100, libjpeg's.
        subsample: 4:2:0, averaged and interpolated as libjpeg does by default; else 4:4:4.
        rounding: of the coefficients.

    Returns:
        ``[N, 3, H, W]`` in [0, 1], not rounded to 8 bits.
    """
    height, width = pictures.shape[2:]
    side = 2 * BLOCK
    extra = [0, -width % side, 0, -height % side]
    padded = functional.pad(pictures.float() * LEVELS, extra, mode="replicate")
    matrix = torch.tensor(COLOURS, device=pictures.device)
    luma, chroma = _mixed(matrix, padded).split([1, 2], dim=1)
    luma = _coded(luma - MIDDLE, _steps(LUMA, quality), rounding) + MIDDLE
    if subsample:
        chroma = _between(chroma, _halving)
    chroma = _coded(chroma, _steps(CHROMA, quality), rounding)
    if subsample:
        chroma = _between(chroma, _doubling)
    shown = _mixed(torch.linalg.inv(matrix), torch.cat([luma, chroma], dim=1))
    return (shown[..., :height, :width] / LEVELS).clamp(0, 1)


def _coded(
    planes: torch.Tensor, steps: torch.Tensor, rounding: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """Each 8×8 block transformed, quantised and transformed back (T.81, A.3.3 and A.3.4)."""
    rows, cols = (_blocks(side, planes.device) for side in planes.shape[2:])
    tiled = steps.repeat(1, 1, planes.shape[2] // BLOCK, planes.shape[3] // BLOCK)
    whole = rounding(rows @ planes @ cols.T / tiled) * tiled
    return rows.T @ whole @ cols


def _steps(table: tuple[tuple[int, ...], ...], quality: torch.Tensor) -> torch.Tensor:
    """``[N, 1, 8, 8]`` quantisation steps of each picture's quality, by libjpeg's rule."""
    percent = torch.where(quality < 50, (5000 / quality).floor(), 200 - 2 * quality)  # noqa: PLR2004  # its own
    base = torch.tensor(table, device=quality.device)
    return ((base * percent[:, None, None, None] + 50) / 100).floor().clamp(1, 255)


def _mixed(matrix: torch.Tensor, planes: torch.Tensor) -> torch.Tensor:
    """Channels mixed by a 3×3 matrix."""
    return (matrix @ planes.flatten(2)).reshape(planes.shape)


def _between(
    planes: torch.Tensor, change: Callable[[int, torch.device], torch.Tensor]
) -> torch.Tensor:
    """Planes resized by one kind of matrix in both directions."""
    rows, cols = (change(side, planes.device) for side in planes.shape[2:])
    return rows @ planes @ cols.T


def cosines(side: int) -> torch.Tensor:
    """The orthonormal DCT-II's basis ``[side, side]``, a row a frequency, lowest first."""
    k = torch.arange(side, dtype=torch.float64)
    basis = torch.cos(torch.pi * k[:, None] * (2 * k[None, :] + 1) / (2 * side))
    basis *= (2 / side) ** 0.5
    basis[0] /= 2**0.5
    return basis.float()


def _blocks(side: int, device: torch.device) -> torch.Tensor:
    """``[side, side]``: the DCT of every run of eight samples."""
    blocks: torch.Tensor = torch.block_diag(*[cosines(BLOCK).to(device)] * (side // BLOCK))
    return blocks


def _halving(side: int, device: torch.device) -> torch.Tensor:
    """``[side / 2, side]``: means of pairs."""
    return torch.eye(side // 2, device=device).repeat_interleave(2, dim=1) / 2


def _doubling(side: int, device: torch.device) -> torch.Tensor:
    """``[2·side, side]``: each sample three quarters itself and a quarter its nearer neighbour."""
    samples = torch.arange(side, device=device)
    outputs = torch.arange(2 * side, device=device)
    near = outputs // 2
    other = (near + 2 * (outputs % 2) - 1).clamp(0, side - 1)
    weights: torch.Tensor = 0.75 * (near[:, None] == samples) + 0.25 * (other[:, None] == samples)
    return weights
