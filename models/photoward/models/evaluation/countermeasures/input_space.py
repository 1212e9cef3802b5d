"""What changes the input space, and so is applied to the pictures to test on as well.

A network that has only seen grey, or only what is orthogonal to some directions, would meet
something foreign in an ordinary picture; its user gives it what it was trained on.

From 4 000 CIFAR-10 images (15 epochs, one seed, best epoch): grayscale 63 % unprotected and 37 % on
``sem``, orthogonal projection 52 and 42 %; plain training 64 and 37 %.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from photoward.models.evaluation.countermeasures.base import Countermeasure
from photoward.models.jpeg import cosines
from photoward.models.pixels import LEVELS, LUMA_WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from photoward.models.evaluation.trainer_run import Lens
    from photoward.models.training.data import LabelledPictures

FIT_BATCH = 128

RANK = 1e-3
"""Directions weaker than this share of the strongest are rounding: the classes' weights sum to
zero, so there is one direction fewer than there are classes."""


def grayscale() -> Countermeasure:
    """Luma in all three channels."""

    def to_grey(pictures: torch.Tensor) -> torch.Tensor:
        weights = torch.tensor(LUMA_WEIGHTS, device=pictures.device).reshape(1, 3, 1, 1)
        return (pictures * weights).sum(1, keepdim=True).expand_as(pictures)

    return Countermeasure(
        "grayscale",
        "Liu, Zhao, Larson: Image shortcut squeezing. ICML 2023, arXiv 2301.13838",
        lens=lambda _train, _seed, _device: to_grey,
    )


def lowest(share: float) -> Lens:
    """Keep the lowest ``share`` of the DCT's frequencies in each direction."""

    def kept(pictures: torch.Tensor) -> torch.Tensor:
        side = pictures.shape[-1]
        basis = cosines(side).to(pictures)[: max(1, int(share * side))]
        low = basis.T @ basis
        return (low @ pictures @ low.T).clamp(0, 1)

    return kept


def low_pass(share: float) -> Callable[[LabelledPictures, int, torch.device], Lens]:
    """The same filter whatever is trained on."""
    return lambda _train, _seed, _device: lowest(share)


def orthogonal_projection(epochs: int, learning_rate: float = 0.1) -> Countermeasure:
    """Fit a linear classifier to the raw pixels, then remove its classes' directions from them.

    The paper's algorithm 1: logistic regression by SGD; Q spans the weights that it found; every
    picture becomes x − QQᵀx.
    """

    def fit(train: LabelledPictures, seed: int, device: torch.device) -> Lens:
        directions = _linear_directions(train, seed, device, epochs, learning_rate)

        def project_out(pictures: torch.Tensor) -> torch.Tensor:
            flat = pictures.flatten(1)
            return (flat - flat @ directions @ directions.T).reshape(pictures.shape)

        return project_out

    return Countermeasure(
        "orthogonal projection",
        "Sandoval-Segura et al.: What can we learn from unlearnable datasets? NeurIPS 2023, "
        "arXiv 2305.19254",
        {"epochs": epochs, "learning_rate": learning_rate},
        lens=fit,
    )


def _linear_directions(
    train: LabelledPictures, seed: int, device: torch.device, epochs: int, learning_rate: float
) -> torch.Tensor:
    """An orthonormal basis ``[3·S·S, classes − 1]`` of a linear classifier's weights."""
    generator = torch.Generator().manual_seed(seed)
    linear = nn.Linear(train.pictures[0].numel(), len(train.classes)).to(device)
    nn.init.zeros_(linear.weight)
    optimiser = torch.optim.SGD(linear.parameters(), lr=learning_rate, momentum=0.9)
    for _ in range(epochs):
        for index in torch.randperm(len(train.labels), generator=generator).split(FIT_BATCH):
            x = train.pictures[index].to(device, torch.float32).flatten(1) / LEVELS
            loss = functional.cross_entropy(linear(x), train.labels[index].to(device))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    basis, spread, _ = torch.linalg.svd(linear.weight.detach().T, full_matrices=False)
    found: torch.Tensor = basis[:, spread > RANK * spread[0]]
    return found
