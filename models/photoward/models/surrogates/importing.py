"""Turns somebody's weights into a network of ours: float16 safetensors with a card.

Both files are written beside their places and moved there when they are whole, the card last.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save

from photoward.core.files import write_whole
from photoward.core.networks import NETWORK, SET, NetworkCard, SetCard

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    Triple = tuple[float, float, float]


def write_network(  # noqa: PLR0913  # what a card says
    folder: Path,
    *,
    name: str,
    builder: str,
    family: str,
    size: int,
    mean: Triple,
    std: Triple,
    weights: Mapping[str, torch.Tensor],
    source: str,
    licence: str,
    classes: int = 1000,
    trained_on: str = "",
) -> NetworkCard:
    """Write ``NAME.safetensors`` and ``NAME.network.json`` into ``folder``; the card.

    Raises:
        ValueError: a weight is not finite in float16, or the card does not fit its schema.
    """
    halved = {
        key: value.to(torch.float16).contiguous()
        for key, value in weights.items()
        if not key.endswith("num_batches_tracked")
    }
    for key, value in halved.items():
        if not bool(torch.isfinite(value).all()):
            raise ValueError(f"{key} of {name} does not fit into float16.")
    data = save(halved)
    card = NetworkCard(
        name=name,
        builder=builder,
        family=family,
        size=size,
        mean=mean,
        std=std,
        classes=classes,
        sha256=hashlib.sha256(data).hexdigest(),
        parameters=sum(value.numel() for value in halved.values()),
        source=source,
        trained_on=trained_on,
        licence=licence,
    )
    write_whole(folder / f"{name}.safetensors", data)
    write_card(card, folder)
    return card


def write_card(card: NetworkCard | SetCard, folder: Path) -> None:
    """Write a card under the name that ``core.networks`` looks for."""
    ending = NETWORK if isinstance(card, NetworkCard) else SET
    write_whole(folder / f"{card.name}{ending}", card.model_dump_json(indent=2).encode() + b"\n")
