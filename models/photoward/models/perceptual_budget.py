"""The eye's budget: how much may change where and at which frequency before it is seen.

Four limits, inside the optimisation rather than laid over its result:

- *texture and luminance masking*: each pixel's largest change follows the activity around it, as
  the just-noticeable difference of Chou and Li (IEEE Trans. Circuits and Systems for Video
  Technology 5(6), 1995) does. Activity is measured on a finer grid than the noise has and eroded,
  so that the flat side of an edge and the paper between letters stay clean;
- *frequency*: the eye is most sensitive to slow changes of luma and, slower still, of chroma
  (Mullen, J. Physiology 359, 1985), which show as clouds in skies and skin. Below a cut-off there
  is no noise. Cut-offs are in cycles along the longer side of a photo that fills a screen of
  ``SCREEN`` pixels; a smaller picture covers less of the field of view, and they fall with it;
- *root mean square* over the picture;
- *flat regions*: the smallest of the pixels' limits, which bounds the colour difference there.

``core.catalogue.Strength`` holds the figures; this file knows neither networks nor files.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from photoward.models.pixels import LEVELS, project

if TYPE_CHECKING:
    from collections.abc import Sequence

    from photoward.core.catalogue import Strength

SCREEN = 1200
"""Pixels of the longer side of a photo as people look at it."""

TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
"""RGB to luma and two chromas, ITU-R BT.601 as JFIF has it."""

BUSY = 8.0
"""Standard deviation of luma in 3×3 pixels, in 1/255, from which on texture hides all of ε."""

DIM, LEAST_LIGHT = 60.0, 0.5
"""Luma, in 1/255, below which the limit falls in proportion, and its smallest share."""

ROUNDS = 3
"""How often cut-offs and limits are applied in turn in the end: each disturbs the other."""


@dataclass(frozen=True)
class Allowed:
    """What the eye allows one picture."""

    strength: Strength
    aspect: float
    """Displayed width / height."""
    side: int
    """Pixels of the longer side in which it leaves."""


class Budget:
    """The set of perturbations that one batch may have, and the way into it.

    Args:
        fine: pictures ``[N, 3, F, F]`` in [0, 1], F a whole multiple of ``grid``.
        grid: side G of the perturbations.
        epsilon: each picture's L∞ radius in unit floats, ``[N]``.
        allowed: what the eye allows each; None: ε alone.
    """

    def __init__(
        self,
        fine: torch.Tensor,
        grid: int,
        epsilon: torch.Tensor,
        allowed: Sequence[Allowed | None],
    ) -> None:
        detail = fine.shape[-1] // grid
        self.pictures = functional.avg_pool2d(fine, detail) if detail > 1 else fine
        self.epsilon = epsilon.reshape(-1, 1, 1, 1)
        whole = self.epsilon.expand_as(self.pictures[:, :1])
        self._shaped = any(one is not None for one in allowed)
        self.limit = whole
        self.rms = torch.full_like(self.epsilon, torch.inf)
        """Each picture's largest root mean square, ``[N, 1, 1, 1]``."""
        if not self._shaped:
            return
        self._every = all(one is not None for one in allowed)
        self._chosen = _column([one is not None for one in allowed], fine.device, torch.bool)
        strengths = [one.strength if one else None for one in allowed]
        flat = _column([s.flat / LEVELS if s else 0.0 for s in strengths], fine.device)
        self.rms = _column([s.rms / LEVELS if s else torch.inf for s in strengths], fine.device)
        self._kept = _kept(allowed, grid).to(fine.device)
        hidden, light = (
            functional.avg_pool2d(torch.cat(share), detail)
            for share in zip(*map(masking, fine.split(1)), strict=True)
        )  # one at a time: a convolution's last bits depend on how many pictures it is given
        shaped = torch.minimum((flat + (whole - flat) * hidden) * light, whole)
        self.limit = torch.where(self._chosen, shaped, whole)

    def take(self, index: torch.Tensor) -> Budget:
        """The same for some of the pictures."""
        part = object.__new__(Budget)
        part.__dict__.update(self.__dict__)
        names = ["pictures", "epsilon", "limit", "rms"]
        for name in names + (["_chosen", "_kept"] if self._shaped else []):
            setattr(part, name, getattr(self, name)[index])
        return part

    def project(self, perturbation: torch.Tensor, rounds: int = 1) -> torch.Tensor:
        """The nearest, or nearly, that is allowed: ``[N, 3, G, G]``."""
        if not self._shaped:
            return project(perturbation, self.pictures, self.limit)
        for _ in range(rounds):
            perturbation = project(self.cut(perturbation), self.pictures, self.limit)
        size = perturbation.square().mean((1, 2, 3), keepdim=True).sqrt()
        return perturbation * (self.rms / size.clamp(min=1e-9)).clamp(max=1)

    @property
    def rms_binds(self) -> torch.Tensor:
        """``[N, 1, 1, 1]``: whether the root mean square is limited more than the pixels are."""
        return self.rms < self.limit.square().mean((1, 2, 3), keepdim=True).sqrt()

    def cut(self, perturbation: torch.Tensor) -> torch.Tensor:
        """Without what lies below the cut-offs of luma and chroma."""
        if not self._shaped:
            return perturbation
        basis = _dct(perturbation.shape[-1]).to(perturbation)
        there = perturbation.new_tensor(TO_YCC)[: self._kept.shape[1]]
        coefficients = basis @ _mixed(perturbation, there) @ basis.T * self._kept
        within = basis.T @ coefficients @ basis
        if len(there) == 1:  # brightness is the same in all channels
            within = within.expand(-1, 3, -1, -1)
        else:
            within = _mixed(within, torch.linalg.inv(there))
        return within if self._every else torch.where(self._chosen, within, perturbation)


def masking(pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Shares ``[N, 1, H, W]`` in [0, 1], of ``[N, 3, H, W]``: what texture hides, what light does.

    Texture is measured in 3×3 pixels and eroded by 5×5: an edge or a letter's stroke is none.
    """
    luma = _mixed(pictures, pictures.new_tensor(TO_YCC[:1])) * LEVELS
    mean = _around(luma)
    spread = (_around(luma.square()) - mean.square()).clamp(min=0).sqrt()
    eroded = -functional.max_pool2d(functional.pad(-spread, (2, 2, 2, 2), mode="replicate"), 5, 1)
    return (_around(eroded) / BUSY).clamp(max=1), (mean / DIM).clamp(LEAST_LIGHT, 1)


def _around(values: torch.Tensor) -> torch.Tensor:
    """Mean of 3×3."""
    wide = functional.pad(values, (1, 1, 1, 1), mode="replicate")
    found: torch.Tensor = functional.avg_pool2d(wide, 3, 1)
    return found


def _mixed(pictures: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """Each pixel's channels times ``matrix``."""
    mixed: torch.Tensor = functional.conv2d(pictures, matrix[:, :, None, None])
    return mixed


def _kept(allowed: Sequence[Allowed | None], grid: int) -> torch.Tensor:
    """Which DCT coefficients may be there, 0 or 1: of luma alone, or of luma and two chromas.

    ``[N, 1 or 3, G, G]``.
    """
    coloured = any(one is None or one.strength.chroma is not None for one in allowed)
    return torch.stack([_kept_of(one, grid, coloured=coloured) for one in allowed])


def _kept_of(allowed: Allowed | None, grid: int, *, coloured: bool) -> torch.Tensor:
    if allowed is None:
        return torch.ones(3, grid, grid)
    cycles = torch.arange(grid) / 2
    wide = cycles * max(1, 1 / allowed.aspect)
    tall = cycles * max(1, allowed.aspect)
    radius = torch.hypot(tall[:, None], wide[None, :])
    scale = min(1.0, allowed.side / SCREEN)
    limits = [allowed.strength.luma]
    if coloured:
        limits += 2 * [torch.inf if allowed.strength.chroma is None else allowed.strength.chroma]
    return torch.stack([radius >= limit * scale for limit in limits]).float()


@lru_cache(maxsize=8)
def _dct(side: int) -> torch.Tensor:
    """The orthonormal DCT-II of a line: row k holds k/2 cycles."""
    number, place = torch.arange(side)[:, None], torch.arange(side)[None, :] + 0.5
    basis = torch.cos(torch.pi * place * number / side) * (2 / side) ** 0.5
    basis[0] /= 2**0.5
    found: torch.Tensor = basis
    return found


def _column(
    values: Sequence[float | bool], device: torch.device, dtype: torch.dtype = torch.float32
) -> torch.Tensor:
    return torch.tensor(values, device=device, dtype=dtype).reshape(-1, 1, 1, 1)
