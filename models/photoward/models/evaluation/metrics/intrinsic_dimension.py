"""What a set of pictures is by itself: its dimension, how sharp its labels are, what follows.

Konz and Mazurowski (ICLR 2024, arXiv 2401.08865): a network's loss on new pictures falls about as
K_F · N^(−1/d) with the number N of pictures to learn from, where d is the dimension of what they
vary in and K_F says how much pictures of different labels resemble each other. Written from the
papers; labels are taken into account as the paper has them (the published program pairs equal
ones). Knows no trainer.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch

from photoward.models.pixels import LEVELS

if TYPE_CHECKING:
    from typing import Any

    from photoward.models.training.data import LabelledPictures

MOST = 1000
"""Pictures that are compared with each other, evenly taken."""

NEIGHBOURS = 20
"""Of Levina and Bickel's estimate; Konz and Mazurowski take as many."""

DISCARDED = 0.1
"""Share of the largest ratios that TwoNN leaves out, as its authors do."""

CLOSE = 1.1
"""A loss of at most so many times that of the whole set is as good as the whole set."""


@dataclass(frozen=True)
class Intrinsic:
    """Figures of one set, at the size at which it was read."""

    pictures: int
    compared: int
    samples: int
    """Numbers that a picture consists of: the ambient dimension."""
    two_nn: float | None
    """None where too few pictures differ."""
    levina_bickel: float | None
    label_sharpness: float
    """K_F, per unit of the distance between pictures in [0, 1]."""

    @property
    def dimension(self) -> float | None:
        """That which the law is told with: Levina and Bickel's."""
        return self.levina_bickel

    def undone_by(self, pictures: int | None = None) -> int | None:
        """How many unprotected pictures leave a trainer as well off as ``pictures`` of them do.

        So many that their N^(−1/d) is 1.1 times that of all; K_F falls out. What the law says, not
        a measurement.
        """
        if self.dimension is None:
            return None
        share: float = CLOSE**-self.dimension
        return max(1, math.ceil((pictures or self.pictures) * share))

    def described(self) -> dict[str, Any]:
        """All figures, JSON-able."""
        return {**asdict(self), "undone_by": self.undone_by()}


def intrinsic(data: LabelledPictures) -> Intrinsic:
    """The figures of a set."""
    count = len(data.labels)
    chosen = torch.linspace(0, count - 1, min(count, MOST)).round().long()
    points = data.pictures[chosen].flatten(1).float() / LEVELS
    distances = between(points)
    return Intrinsic(
        count,
        len(chosen),
        points.shape[1],
        two_nn(distances),
        levina_bickel(distances),
        label_sharpness(distances, data.labels[chosen]),
    )


def between(points: torch.Tensor) -> torch.Tensor:
    """Euclidean distances ``[N, N]`` of ``[N, D]``, exact enough for near neighbours."""
    return torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")


def two_nn(distances: torch.Tensor) -> float | None:
    """Facco et al. (2017): how much further the second neighbour is than the first."""
    nearest = _neighbours(distances, 2)
    if nearest is None:
        return None
    ratios = (nearest[:, 1] / nearest[:, 0]).log().sort().values
    kept = ratios[: math.ceil(len(ratios) * (1 - DISCARDED))]
    places = torch.arange(1, len(kept) + 1) / (len(ratios) + 1)
    spread = float((kept * kept).sum())
    return round(float((kept * -(1 - places).log()).sum()) / spread, 2) if spread else None


def levina_bickel(distances: torch.Tensor, neighbours: int = NEIGHBOURS) -> float | None:
    """Levina and Bickel (2004), inverses averaged as MacKay and Ghahramani say."""
    nearest = _neighbours(distances, min(neighbours, len(distances) - 2))
    if nearest is None:
        return None
    inverse = (nearest[:, -1:] / nearest[:, :-1]).log().mean(dim=1).mean()
    return round(1 / float(inverse), 2) if inverse > 0 else None


def label_sharpness(distances: torch.Tensor, labels: torch.Tensor) -> float:
    """K_F: the largest |F(x) − F(y)| / ‖x − y‖, labels being 1 apart or the same.

    Pictures that are equal in every sample are left out, whatever their labels.
    """
    other = (labels[:, None] != labels[None, :]) & (distances > 0)
    return round(float(1 / distances[other].min()), 4) if other.any() else 0.0


def _neighbours(distances: torch.Tensor, count: int) -> torch.Tensor | None:
    """Distances ``[M, count]`` to the nearest pictures, of those that have no copy."""
    if count < 2 or len(distances) <= count:  # noqa: PLR2004  # a ratio needs two
        return None
    away = distances + torch.diag(torch.full((len(distances),), torch.inf))
    nearest = away.topk(count, largest=False).values
    unique = nearest[nearest[:, 0] > 0]
    return unique if len(unique) else None
