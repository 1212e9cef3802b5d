"""The pretrained networks that trainers start from: frozen for features, or to be fine-tuned."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeGuard, cast

import torch
from torch import nn
from torch.nn import functional

from photoward.core.networks import read_networks
from photoward.models.surrogates.pretrained import Normalise, load_pretrained, trainable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from photoward.core.networks import NetworkCard
    from photoward.models.surrogates.pretrained import PretrainedNetwork


@dataclass(frozen=True)
class Networks:
    """All that are installed; each is loaded once."""

    known: Mapping[str, tuple[NetworkCard, Path]]
    _frozen: dict[str, PretrainedNetwork] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def installed(cls, folders: Iterable[Path] = ()) -> Networks:
        """Those that are shipped, and those in ``folders``."""
        return cls(read_networks(folders))

    def frozen(self, name: str, device: torch.device) -> PretrainedNetwork:
        """To be asked, not trained."""
        with self._lock:
            if name not in self._frozen:
                self._frozen[name] = load_pretrained(*self.known[name], device)
            return self._frozen[name]

    def victim(self, name: str, classes: int, side: int) -> Victim:
        """Fresh from its file, with a new head drawn from torch's global generator."""
        return Victim(*self.known[name], classes, side)

    def digest(self, name: str) -> str:
        """SHA-256 of its weights."""
        return self.known[name][0].sha256


class Victim(nn.Module):
    """Logits from pictures in [-1, 1], by a network that knows ImageNet and a new head."""

    def __init__(self, card: NetworkCard, weights: Path, classes: int, side: int) -> None:
        super().__init__()
        self.network = trainable(card, weights, classes)
        self.normalise = Normalise(card)
        self.side = side
        for layer in self.network.modules():
            if isinstance(layer, nn.Dropout):
                layer.p = 0.0  # theirs is no generator of ours
        self._still: list[nn.Module] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits ``[N, classes]``; smaller pictures are enlarged to ``side``."""
        logits: torch.Tensor = self.network(self.normalise(enlarged(x / 2 + 0.5, self.side)))
        return logits

    def freeze(self, share: float) -> None:
        """Keep the first layers as they are, batch norm's averages included."""
        every = self.network.modules()
        layers = [one for one in every if any(True for _ in one.parameters(recurse=False))]
        self._still = layers[: round(share * len(layers))]
        for layer in self._still:
            layer.requires_grad_(requires_grad=False).eval()

    def begin_with(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        """Set the head: ``[classes, D]`` and ``[classes]``."""
        *_, head = (one for one in self.network.modules() if _is_head(one, len(bias)))
        with torch.no_grad():
            head.weight.copy_(weight.reshape(head.weight.shape))
            cast("torch.Tensor", head.bias).copy_(bias)

    def train(self, mode: bool = True) -> Victim:  # noqa: FBT001, FBT002  # torch's signature
        """What is frozen stays in evaluation mode."""
        super().train(mode)
        for layer in self._still:
            layer.eval()
        return self


def _is_head(layer: nn.Module, classes: int) -> TypeGuard[nn.Linear | nn.Conv2d]:
    """SqueezeNet's is a convolution."""
    return (isinstance(layer, nn.Linear) and layer.out_features == classes) or (
        isinstance(layer, nn.Conv2d) and layer.out_channels == classes
    )


def enlarged(pictures: torch.Tensor, side: int) -> torch.Tensor:
    """At least ``side`` pixels wide, bicubic."""
    if pictures.shape[-1] >= side:
        return pictures
    return functional.interpolate(pictures, size=(side, side), mode="bicubic").clamp(0, 1)
