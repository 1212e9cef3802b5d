"""Small surrogates with random weights: everything of a real one but the training."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save

from photoward.core.catalogue import SurrogateCard
from photoward.models.surrogates.architectures import build
from photoward.models.surrogates.surrogate import Surrogate

if TYPE_CHECKING:
    from pathlib import Path

WIDTH, SIZE = 16, 32


def card(name: str = "tiny", sha256: str = "") -> SurrogateCard:
    """The card of a width-16 network of two classes."""
    return SurrogateCard(
        name=name, architecture="resnet18", width=WIDTH, size=SIZE, classes=["cat", "dog"],
        feature_dim=8 * WIDTH, sha256=sha256, data="none", recipe={}, figures={}, seconds=0,
        hardware="", versions={}, licence="Apache-2.0",
    )  # fmt: skip


def network(seed: int = 0) -> torch.nn.Module:
    """Fresh weights whose batch norms have seen something, so that folding them matters."""
    torch.manual_seed(seed)
    net = build("resnet18", 2, WIDTH)
    net.train()(torch.rand(8, 3, SIZE, SIZE) * 2 - 1)
    return net.eval()


def surrogate(dtype: torch.dtype = torch.float32) -> Surrogate:
    """A loaded surrogate on the CPU."""
    return Surrogate(card(), network(), torch.zeros(8 * WIDTH), torch.device("cpu"), dtype)


def write(folder: Path, name: str = "tiny", seed: int = 0) -> Path:
    """Write weights and card as ``surrogate train`` does; returns the weights' path."""
    tensors = {k: v.contiguous() for k, v in network(seed).state_dict().items()}
    data = save({**tensors, "feature_mean": torch.zeros(8 * WIDTH)})
    path = folder / f"{name}.safetensors"
    path.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    path.with_suffix(".json").write_text(card(name, digest).model_dump_json())
    return path
