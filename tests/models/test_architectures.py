"""Networks that victims and surrogates may be."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from photoward.models.surrogates.architectures import ARCHITECTURES, build
from photoward.models.surrogates.architectures.vit import positions


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("size", [32, 64])
def test_any_size_gives_logits_and_features(name: str, size: int) -> None:
    torch.manual_seed(0)
    network: Any = build(name, 7, 16)
    x = torch.rand(2, 3, size, size) * 2 - 1
    logits = network(x)
    assert logits.shape == (2, 7)
    features = network.features(x)
    assert features.shape == (2, network.head.in_features)
    logits.square().sum().backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_width_widens(name: str) -> None:
    def parameters(width: int) -> int:
        return sum(p.numel() for p in build(name, 10, width).parameters())

    assert parameters(32) > 2 * parameters(16)


def test_the_papers_sizes() -> None:
    def millions(name: str, width: int) -> float:
        return sum(p.numel() for p in build(name, 10, width).parameters()) / 1e6

    assert millions("resnet18", 64) == pytest.approx(11.2, abs=0.1)
    assert millions("vgg", 64) == pytest.approx(9.2, abs=0.1)
    assert millions("mobilenetv2", 32) == pytest.approx(2.2, abs=0.1)


def test_places_of_a_grid_are_told_apart() -> None:
    places = positions(3, 4, 32)
    assert places.shape == (12, 32)
    assert torch.cdist(places, places).add(torch.eye(12) * 9).min() > 0.5


def test_an_unknown_network_lists_the_known() -> None:
    with pytest.raises(KeyError, match="mobilenetv2, resnet18, vgg, vit"):
        build("lenet", 2, 16)
