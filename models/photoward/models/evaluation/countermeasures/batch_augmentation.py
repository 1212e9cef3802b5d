"""What a trainer does anew to each batch of views. Test pictures are left as they are.

From 4 000 CIFAR-10 images (15 epochs, one seed, best epoch) trainers reach 52 to 57 % unprotected
and 35 to 39 % on ``sem``; plain training 64 and 37 %.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from photoward.models.evaluation.countermeasures.base import Countermeasure, learn
from photoward.models.evaluation.countermeasures.input_space import lowest

if TYPE_CHECKING:
    from collections.abc import Callable

    from photoward.models.evaluation.countermeasures.base import Network, Objective

    Change = Callable[[torch.Tensor, torch.Generator], torch.Tensor]


def cutout() -> Countermeasure:
    """Blank a square of half the side at a random place; it may reach over the border."""
    return Countermeasure(
        "cutout",
        "DeVries, Taylor: Cutout. arXiv 1708.04552",
        {"side": 0.5},
        objective=changed(_cut_out),
    )


def mixup() -> Countermeasure:
    """Blend pictures and labels in pairs; λ uniform in [0, 1], a Beta(1, 1)."""

    def objective(
        network: Network, x: torch.Tensor, y: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        share, partner = _pairs(x, generator)
        mixed = share[:, None, None, None] * x + (1 - share[:, None, None, None]) * x[partner]
        return learn(network, mixed, share[:, None] * y + (1 - share[:, None]) * y[partner])

    return Countermeasure(
        "mixup",
        "Zhang et al.: mixup. ICLR 2018, arXiv 1710.09412",
        {"alpha": 1.0},
        objective=objective,
    )


def cutmix() -> Countermeasure:
    """Paste a box of one picture into another and mix their labels by area, with Beta(1, 1)."""

    def objective(
        network: Network, x: torch.Tensor, y: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        share, partner = _pairs(x, generator)
        box = _boxes(x, (1 - share).sqrt() * x.shape[-1], generator)
        kept = (1 - box.float().mean(dim=(1, 2, 3)))[:, None]
        mixed = torch.where(box, x[partner], x)
        return learn(network, mixed, kept * y + (1 - kept) * y[partner])

    return Countermeasure(
        "CutMix",
        "Yun et al.: CutMix. ICCV 2019, arXiv 1905.04899",
        {"alpha": 1.0},
        objective=objective,
    )


def coin(alpha: float = 2.0) -> Countermeasure:
    """Take each pixel from a random place near by, between pixels by bilinear interpolation.

    Offsets are uniform in ±``alpha`` pixels in both directions, drawn for each pixel of each view,
    as the published program does with its severity 4.
    """

    def warp(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        n, _, h, w = x.shape
        offsets = torch.rand((n, h, w, 2), generator=generator, device=x.device) * 2 - 1
        sides = torch.tensor([w, h], device=x.device)
        y, x_ = torch.meshgrid(
            torch.arange(h, device=x.device), torch.arange(w, device=x.device), indexing="ij"
        )
        places = torch.stack([x_, y], dim=-1) + alpha * offsets
        return functional.grid_sample(
            x, 2 * (places + 0.5) / sides - 1, padding_mode="reflection", align_corners=False
        )

    return Countermeasure(
        "COIN's random warps",
        "Li et al.: Detecting and corrupting convolution-based unlearnable examples. AAAI 2025, "
        "arXiv 2311.18403",
        {"alpha_px": alpha},
        objective=changed(warp),
    )


def sharpening(centre: float = 2.5, spread: float = 0.1, kept: float = 0.3) -> Countermeasure:
    """A random sharpening kernel for each picture, then a low-pass filter of its DCT.

    As published (their ``rsk_ff``, its program's defaults): the kernel's centre c is normal about
    ``centre``, the four neighbours beside it are normal about −(c − 1) / 4, all with a standard
    deviation of ``spread``, so that brightness varies, too; the filter keeps the lowest ``kept`` of
    the frequencies in each direction. Theirs comes before the crop, ours after it.
    """
    low_pass = lowest(kept)

    def sharpen(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        n, c, side, _ = x.shape
        drawn = torch.randn((n, 5), generator=generator, device=x.device) * spread
        middle = centre + drawn[:, :1]
        kernels = torch.zeros((n, 9), device=x.device)
        kernels[:, 4:5] = middle
        kernels[:, 1::2] = -((middle - 1) / 4 + drawn[:, 1:])
        padded = functional.pad(x, (1, 1, 1, 1), mode="replicate").reshape(1, n * c, side + 2, -1)
        weights = kernels.repeat_interleave(c, 0).reshape(n * c, 1, 3, 3)
        sharp = functional.conv2d(padded, weights, groups=n * c).reshape(x.shape).clamp(0, 1)
        return low_pass(sharp)

    return Countermeasure(
        "random sharpening and frequency filter",
        "Kim, Sandoval-Segura: Learning from convolution-based unlearnable datasets. "
        "arXiv 2411.01742",
        {"centre": centre, "spread": spread, "kept": kept},
        objective=changed(sharpen),
    )


def changed(change: Change) -> Objective:
    """Plain training on views after ``change``."""

    def objective(
        network: Network, x: torch.Tensor, y: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return learn(network, change(x, generator), y)

    return objective


def _pairs(x: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """A share and a partner for each picture."""
    share = torch.rand(len(x), generator=generator, device=x.device)
    return share, torch.randperm(len(x), generator=generator, device=x.device)


def _boxes(x: torch.Tensor, sides: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Squares of these sides in pixels about random centres, as masks ``[N, 1, S, S]``."""
    n, size = len(x), x.shape[-1]
    centres = torch.rand((n, 2), generator=generator, device=x.device) * size
    places = torch.arange(size, device=x.device) + 0.5
    inside = (places[None, None, :] - centres[:, :, None]).abs() < sides[:, None, None] / 2
    return (inside[:, 0, :, None] & inside[:, 1, None, :])[:, None]


def _cut_out(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    half = torch.full((len(x),), x.shape[-1] / 2, device=x.device)
    return x.masked_fill(_boxes(x, half, generator), 0.5)
