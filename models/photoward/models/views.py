"""Random views of a picture: what a trainer's augmentation may show of it.

A view is a crop, a flip and a resize. All three are separable and linear, so one view of one
picture is a pair of small matrices, ``rows @ picture @ colsᵀ``: a whole batch of different views
is two batched matrix products, differentiable and deterministic on every device. This file knows
neither networks nor where its random numbers come from.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

DRAWS = 5
"""Uniform numbers that one view consumes: top, left, flip, scale, ratio."""

PAD = 4
"""Zero padding around a picture of the surrogate's own size before the random crop (SEM §5.1)."""

OVERHANG = 0.08
"""How far crops reach beyond the picture while noise is made, as a share of its side: else the
outer rows are hardly ever in a view, and their noise stays as it began."""

SMALLEST_CROP = 0.5
"""Side of the smallest random crop as a share of the picture's short side."""

HALF = 0.5

RATIO = 4 / 3
"""Random crops are stretched by up to this factor, as torchvision's RandomResizedCrop does."""


@dataclass(frozen=True)
class Views:
    """One view per picture: ``rows`` and ``cols`` are ``[N, S, G]`` for a grid of side G."""

    rows: torch.Tensor
    cols: torch.Tensor

    def __call__(self, pictures: torch.Tensor) -> torch.Tensor:
        """Show ``[N, C, G, G]`` pictures through their views: ``[N, C, S, S]``."""
        n, c, g, _ = pictures.shape
        s = self.rows.shape[1]
        wide = torch.bmm(pictures.reshape(n, c * g, g), self.cols.transpose(1, 2))
        tall = wide.reshape(n, c, g, s).transpose(1, 2).reshape(n, g, c * s)
        return torch.bmm(self.rows, tall).reshape(n, s, c, s).transpose(1, 2)


def draw(
    uniforms: torch.Tensor,
    *,
    size: int,
    grid: int,
    aspect: torch.Tensor | None = None,
    overhang: float = 0.0,
) -> Views:
    """Turn uniform numbers into views.

    Args:
        uniforms: ``[N, DRAWS]`` in [0, 1).
        size: side S of the view, the surrogate's input.
        grid: side G of the pictures. ``G == S`` gives pad-4 crops and flips (the paper's CIFAR
            setting), a larger grid gives random resized crops and flips (its photo setting).
        aspect: displayed width / height of each picture, ``[N]``; the grid squashes photos to a
            square, the views undo that. Default 1.
        overhang: how far a random resized crop may reach beyond the picture, where it shows black,
            as a share of its side.
    """
    top, left, flip, scale, ratio = uniforms.unbind(dim=1)
    if grid == size:
        steps = 2 * PAD + 1
        rows = _shifted((top * steps).floor() - PAD, size)
        cols = _shifted((left * steps).floor() - PAD, size)
    else:
        shape = torch.ones_like(top) if aspect is None else aspect.to(top)
        side = SMALLEST_CROP + (1 - SMALLEST_CROP) * scale
        stretch = RATIO ** (ratio - 0.5)
        height = (side * shape.clamp(max=1) / stretch).clamp(max=1)
        width = (side * (1 / shape).clamp(max=1) * stretch).clamp(max=1)
        rows = _resampled(_placed(top, height, overhang), height, size, grid)
        cols = _resampled(_placed(left, width, overhang), width, size, grid)
    mirrored = torch.where((flip < HALF)[:, None, None], cols.flip(1), cols)
    return Views(rows, mirrored)


def centred(*, size: int, grid: int, aspect: torch.Tensor) -> Views:
    """The plain views: the whole picture at ``G == S``, else its largest centred square."""
    if grid == size:
        eye = _shifted(torch.zeros_like(aspect), size)
        return Views(eye, eye)
    height, width = aspect.clamp(max=1), (1 / aspect).clamp(max=1)
    return Views(
        _resampled((1 - height) / 2, height, size, grid),
        _resampled((1 - width) / 2, width, size, grid),
    )


def _placed(where: torch.Tensor, length: torch.Tensor, overhang: float) -> torch.Tensor:
    """Start of a crop of ``length`` on a unit line, from ``overhang`` before it on."""
    return where * (1 - length + 2 * overhang) - overhang


def _shifted(offset: torch.Tensor, size: int) -> torch.Tensor:
    """Selection matrices that move a line of ``size`` samples by ``offset``, zeros beyond it."""
    index = torch.arange(size, device=offset.device)
    wanted = index[None, :, None] + offset[:, None, None]
    return (wanted == index[None, None, :]).to(torch.float32)


def _resampled(start: torch.Tensor, length: torch.Tensor, size: int, grid: int) -> torch.Tensor:
    """Matrices that resample ``[start, start + length]`` of a unit line (triangle filter).

    The filter widens with the reduction, as antialiased bilinear resizing does, so a view of a
    shrunk picture is what a trainer who shrinks the photo sees.
    """
    step = length * grid / size
    outputs = torch.arange(size, device=start.device) + 0.5
    centres = (start * grid)[:, None] + outputs[None, :] * step[:, None]
    inputs = torch.arange(grid, device=start.device) + 0.5
    distance = (inputs[None, None, :] - centres[:, :, None]).abs()
    weights = (1 - distance / step.clamp(min=1)[:, None, None]).clamp(min=0)
    return weights / weights.sum(dim=2, keepdim=True).clamp(min=1e-6)
