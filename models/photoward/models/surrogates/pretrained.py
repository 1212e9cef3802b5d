"""Pretrained networks, loaded to be descended against, to guess labels, or to start a trainer from.

Architectures are timm's or torchvision's; weights are those beside the card. Each network has its
own input size and normalisation, which nothing outside this file knows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast, overload

import torch
from safetensors.torch import load
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from photoward.models.surrogates.surrogate import DigestMismatch

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from photoward.core.networks import NetworkCard, SetCard


class PretrainedNetwork(nn.Module):
    """Logits and pooled features of pictures in [0, 1], frozen; float32 in and out.

    Args:
        card: what the weights are.
        network: with its weights; batch norm is folded into its convolutions here.
        device: where it lives.
    """

    def __init__(self, card: NetworkCard, network: nn.Module, device: torch.device) -> None:
        super().__init__()
        self.card, self.device = card, device
        self.network = fold(network.eval()).requires_grad_(requires_grad=False)
        self.network.to(device).to(memory_format=torch.channels_last)
        self.normalise = Normalise(card).to(device)

    @property
    def size(self) -> int:
        """Side of the input that it was trained for, pixels; any other from 32 works too."""
        return self.card.size

    def logits(self, pictures: torch.Tensor) -> torch.Tensor:
        """Logits ``[N, classes]`` of pictures ``[N, 3, S, S]`` in [0, 1]."""
        found: torch.Tensor = self.network(self.normalise(pictures))
        return found

    def features(self, pictures: torch.Tensor) -> torch.Tensor:
        """Pooled features ``[N, D]`` before the classifier."""
        network, seen = cast("Any", self.network), self.normalise(pictures)
        if not hasattr(network, "forward_head"):  # torchvision's
            pooled: torch.Tensor = network.features(seen).mean((2, 3))
            return pooled
        found: torch.Tensor = network.forward_head(network.forward_features(seen), pre_logits=True)
        return found

    @property
    def memory_bytes(self) -> int:
        """Bytes that the loaded weights take."""
        return sum(p.numel() * p.element_size() for p in self.network.parameters())


class NetworkSet(Sequence[PretrainedNetwork]):
    """The loaded networks of a set, in its order.

    Args:
        card: which they are, how many a step asks, and the label's weight beside them.
        networks: one for each name of the card.
    """

    def __init__(self, card: SetCard, networks: Iterable[PretrainedNetwork]) -> None:
        self._networks = tuple(networks)
        self.per_step, self.label_weight = card.per_step, card.label_weight

    @overload
    def __getitem__(self, index: int) -> PretrainedNetwork: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[PretrainedNetwork, ...]: ...

    def __getitem__(self, index: int | slice) -> PretrainedNetwork | tuple[PretrainedNetwork, ...]:
        """One of them, or some."""
        return self._networks[index]

    def __len__(self) -> int:
        """How many there are."""
        return len(self._networks)


class Normalise(nn.Module):
    """``(x − mean) / std``, channels last in memory."""

    def __init__(self, card: NetworkCard) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(card.mean).reshape(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(card.std).reshape(1, 3, 1, 1))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """What the network is fed."""
        shifted = (pictures - cast("torch.Tensor", self.mean)) / cast("torch.Tensor", self.std)
        return shifted.contiguous(memory_format=torch.channels_last)


def load_pretrained(card: NetworkCard, weights: Path, device: torch.device) -> PretrainedNetwork:
    """Read a network from its safetensors file, frozen.

    Raises:
        DigestMismatch: the file's SHA-256 is not the card's.
        ValueError: the builder makes another network than the weights are of.
        OSError: the file cannot be read.
    """
    return PretrainedNetwork(card, trainable(card, weights), device)


def trainable(card: NetworkCard, weights: Path, classes: int | None = None) -> nn.Module:
    """The network as it was trained, in float32, to be fine-tuned; raises the same.

    Args:
        card: what the weights are.
        weights: the safetensors file.
        classes: of a new head with fresh weights; None: the head of the card's classes.
    """
    data = weights.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest != card.sha256:
        message = f"{weights} has SHA-256 {digest}, its card says {card.sha256}"
        raise DigestMismatch(message)
    network = build(card.builder, card.classes)
    tensors = {name: tensor.float() for name, tensor in load(data).items()}
    try:
        network.load_state_dict(tensors, strict=False)
        missing = set(network.state_dict()) - set(tensors)
    except RuntimeError as error:
        raise ValueError(f"{weights} does not fit {card.builder}: {error}") from error
    if any(not name.endswith("num_batches_tracked") for name in missing):
        raise ValueError(f"{weights} lacks {min(missing)} of {card.builder}.")
    if classes is not None:
        _give_head(network, classes)
    return network


def _give_head(network: nn.Module, classes: int) -> None:
    """A classifier of so many classes with fresh weights."""
    known = cast("Any", network)
    if hasattr(network, "reset_classifier"):
        known.reset_classifier(classes)
    else:  # SqueezeNet's is a convolution
        known.classifier[1] = nn.Conv2d(known.classifier[1].in_channels, classes, 1)


def build(builder: str, classes: int) -> nn.Module:
    """A network of timm or torchvision with fresh weights.

    Args:
        builder: ``timm:NAME`` or ``torchvision:NAME``.
        classes: outputs of its head; 0: none.

    Raises:
        ValueError: there is no such network.
    """
    room, _, name = builder.partition(":")
    if room == "torchvision":
        from torchvision import models  # noqa: PLC0415  # takes a second

        if name not in models.list_models(module=models):
            raise ValueError(f"There is no network {builder!r} in torchvision.")
        made: nn.Module = models.get_model(name, weights=None, num_classes=classes)
        return made
    import timm  # noqa: PLC0415  # takes seconds

    if room != "timm" or not timm.is_model(name):
        near = ", ".join(timm.list_models(f"*{name[:12]}*")[:5])
        near = f"; near it: {near}" if near else ""
        raise ValueError(f"There is no network {builder!r}: name timm's or torchvision's{near}.")
    any_size: dict[str, Any] = {
        "dynamic_img_size": True,
        "dynamic_img_pad": True,
    }  # transformers' have one
    own = any_size if timm.models.is_model_in_modules(name, ["vision_transformer"]) else {}
    network: nn.Module = timm.create_model(name, pretrained=False, num_classes=classes, **own)
    return network


def fold(network: nn.Module) -> nn.Module:
    """Fold each batch norm into the convolution before it, wherever the two are siblings.

    timm's batch norms carry their activation, which stays in their place.
    """
    before: tuple[str, nn.Module] | None = None
    for name, child in list(network.named_children()):
        if before and isinstance(before[1], nn.Conv2d) and isinstance(child, nn.BatchNorm2d):
            setattr(network, before[0], fuse_conv_bn_eval(before[1], child))
            setattr(network, name, getattr(child, "act", None) or nn.Identity())
        else:
            fold(child)
        before = name, child
    return network
