"""A small pretrained network with random weights: everything of a real one but the training."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import torch

from photoward.core.networks import NetworkCard, SetCard, read_networks
from photoward.models.surrogates.importing import write_card, write_network
from photoward.models.surrogates.pretrained import (
    NetworkSet,
    PretrainedNetwork,
    build,
    load_pretrained,
)

BUILDER = "timm:test_efficientnet"
"""The smallest that timm has, made for tests."""


def write(folder: Path, name: str = "small", seed: int = 0) -> NetworkCard:
    """Weights and card of one network, and a set of it alone."""
    torch.manual_seed(seed)
    card = write_network(
        folder, name=name, builder=BUILDER, family="test", size=96, mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5), weights=build(BUILDER, 1000).state_dict(), source="random weights",
        licence="Apache-2.0",
    )  # fmt: skip
    write_card(SetCard(name=f"only-{name}", networks=[name], per_step=1), folder)
    return card


def network_set(*networks: PretrainedNetwork, per_step: int = 1) -> NetworkSet:
    """A set of these."""
    names = [network.card.name for network in networks]
    return NetworkSet(SetCard(name="these", networks=names, per_step=per_step), networks)


@functools.cache
def pretrained(seed: int = 0) -> PretrainedNetwork:
    """It, loaded on the CPU."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), seed=seed)
        card, weights = read_networks([Path(folder)])["small"]
        return load_pretrained(card, weights, torch.device("cpu"))
