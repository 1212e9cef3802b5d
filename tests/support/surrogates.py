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
    from collections.abc import Sequence
    from pathlib import Path

WIDTH, SIZE = 16, 32


def card(name: str = "tiny", sha256: str = "", code: Sequence[int] = ()) -> SurrogateCard:
    """The card of a width-16 network of two classes, or of codewords beside it."""
    return SurrogateCard(
        name=name, architecture="resnet18", width=WIDTH, size=SIZE,
        classes=[] if code else ["cat", "dog"], code=list(code), labeller="tiny" if code else None,
        feature_dim=8 * WIDTH, sha256=sha256, data="none", recipe={}, figures={}, seconds=0,
        hardware="", versions={}, licence="Apache-2.0",
    )  # fmt: skip


def network(seed: int = 0, outputs: int = 2, stride: int = 1) -> torch.nn.Module:
    """Fresh weights whose batch norms have seen something, so that folding them matters."""
    torch.manual_seed(seed)
    net = build("resnet18", outputs, WIDTH, stride=stride)
    net.train()(torch.rand(8, 3, stride * SIZE, stride * SIZE) * 2 - 1)
    return net.eval()


def surrogate(dtype: torch.dtype = torch.float32) -> Surrogate:
    """A loaded surrogate on the CPU."""
    return Surrogate(card(), network(), torch.zeros(8 * WIDTH), torch.device("cpu"), dtype)


def write(
    folder: Path, name: str = "tiny", seed: int = 0, code: Sequence[int] = ()
) -> Path:  # fmt: skip
    """Write weights and card as ``surrogate train`` does; returns the weights' path."""
    weights = network(seed, sum(code) or 2).state_dict()
    tensors = {k: v.contiguous() for k, v in weights.items()}
    data = save({**tensors, "feature_mean": torch.zeros(8 * WIDTH)})
    path = folder / f"{name}.safetensors"
    path.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    path.with_suffix(".json").write_text(card(name, digest, code).model_dump_json())
    return path
