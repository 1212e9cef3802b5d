"""Codewords: what a surrogate's outputs are asked to say of a label.

A codeword is one symbol from each of a surrogate's alphabets; the head's outputs are the symbols'
logits, one alphabet after the other. A surrogate of classes has one alphabet, its classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence


def cross_entropy(
    outputs: torch.Tensor, code: torch.Tensor, alphabets: Sequence[int]
) -> torch.Tensor:
    """Sum over pictures and alphabets.

    Args:
        outputs: logits ``[N, sum(alphabets)]``.
        code: symbols ``[N, len(alphabets)]``.
        alphabets: how many symbols each has.
    """
    parts = outputs.float().split(list(alphabets), dim=1)
    losses = [
        functional.cross_entropy(part, code[:, i], reduction="sum") for i, part in enumerate(parts)
    ]
    return torch.stack(losses).sum()


def share_right(outputs: torch.Tensor, code: torch.Tensor, alphabets: Sequence[int]) -> float:
    """Share of the symbols that the outputs say; arguments as ``cross_entropy`` has them."""
    parts = outputs.split(list(alphabets), dim=1)
    said = torch.stack([part.argmax(1) for part in parts], dim=1)
    return (said == code).float().mean().item()


def margins(outputs: torch.Tensor, code: torch.Tensor, alphabets: Sequence[int]) -> torch.Tensor:
    """How far ``[N]`` each right logit is above the best other, in the worst of the alphabets.

    Positive where every symbol is read right; arguments as ``cross_entropy`` has them.
    """
    found = []
    for i, part in enumerate(outputs.split(list(alphabets), dim=1)):
        own = code[:, i, None]
        others = part.scatter(1, own, -torch.inf)
        found.append(part.gather(1, own)[:, 0] - others.amax(1))
    return torch.stack(found).amin(0)
