"""Robust sparse regularisation: a surrogate that is trained to do with fewer channels.

After Rakin et al. (arXiv 1905.13074): noise on the weights with a strength that each output
channel learns, and a lasso, while the network trains under attack; then the least are cut away
and the rest goes on. Two things are not the paper's. It cuts single weights, which makes no
processor faster that multiplies whole blocks; here whole channels inside the residual blocks go,
so the lasso is on the scales of their batch norm (Liu et al., ICCV 2017). And the noise is there
in training alone: what serves must give the same bits each time.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from photoward.models.surrogates.architectures.resnet import Block, ResNet18

if TYPE_CHECKING:
    from collections.abc import Iterator

RSR = "rsr"

LASSO = 1e-3
"""Weight of the scales' absolute sum in the loss."""

NOISE = 0.25
"""Strength of the weights' noise at first, in standard deviations of the channel."""

MULTIPLE = 8
"""Kept channels are whole multiples of this where there are so many: as wide as AVX2's float32."""


class Sparsity:
    """Noise, lasso and the cut, around a network in training.

    Args:
        network: its blocks will lose inner channels.
        share: of each block's inner channels that go, in (0, 1).
        generator: where the noise comes from.
    """

    def __init__(self, network: nn.Module, share: float, generator: torch.Generator) -> None:
        self._blocks = [m for m in network.modules() if isinstance(m, Block)]
        self._convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
        self._share, self._generator = share, generator
        self.tensors = {
            f"noise.{i}": torch.full((len(one.weight), 1, 1, 1), NOISE, device=one.weight.device)
            for i, one in enumerate(self._convolutions)
        }

    @contextmanager
    def noisy(self, learning_rate: float) -> Iterator[None]:
        """Weights with noise while the gradients are made; its strengths learn from them."""
        added = [self._noise(one) for one in self._convolutions]
        strengths = list(self.tensors.values())
        for one, noise, strength in zip(self._convolutions, added, strengths, strict=True):
            one.weight.data += strength * noise
        yield
        for one, noise, strength in zip(self._convolutions, added, strengths, strict=True):
            one.weight.data -= strength * noise
            gradient = cast("torch.Tensor", one.weight.grad)
            slope = (gradient * noise).sum((1, 2, 3), keepdim=True)
            strength.sub_(learning_rate * slope).clamp_(0, 1)

    def penalty(self) -> torch.Tensor:
        """The lasso, to be added to the loss."""
        return LASSO * torch.stack([_scales(b).abs().sum() for b in self._blocks]).sum()

    @torch.no_grad()
    def cut(self, optimiser: torch.optim.Optimizer) -> None:
        """Silence the inner channels that pass on least; each block keeps its share.

        A silent channel has no gradient, and with its momentum gone it stays silent.
        """
        for block in self._blocks:
            scales = _scales(block)
            passed = scales.abs() * block.conv2.weight.square().sum((0, 2, 3)).sqrt()
            gone = passed.argsort()[: len(scales) - _kept(len(scales), self._share)]
            for parameter in block.bn1.parameters():
                parameter[gone] = 0
                optimiser.state[parameter]["momentum_buffer"][gone] = 0

    def _noise(self, one: nn.Conv2d) -> torch.Tensor:
        noise = torch.randn(one.weight.shape, generator=self._generator).to(one.weight)
        return noise * one.weight.detach().std((1, 2, 3), keepdim=True)


@torch.no_grad()
def compacted(network: ResNet18) -> ResNet18:
    """The same network without its silent inner channels."""
    heard = {
        name: _scales(block) != 0
        for name, block in network.named_modules()
        if isinstance(block, Block)
    }
    inner = [int(one.sum()) for one in heard.values()]
    new = ResNet18(network.head.out_features, network.width, inner, network.stride)
    new.to(network.head.weight.device)
    tensors = network.state_dict()
    for name, one in heard.items():
        tensors[f"{name}.conv1.weight"] = tensors[f"{name}.conv1.weight"][one]
        tensors[f"{name}.conv2.weight"] = tensors[f"{name}.conv2.weight"][:, one]
        for part in ("weight", "bias", "running_mean", "running_var"):
            tensors[f"{name}.bn1.{part}"] = tensors[f"{name}.bn1.{part}"][one]
    new.load_state_dict(tensors)
    return new


def _scales(block: Block) -> torch.Tensor:
    return cast("nn.BatchNorm2d", block.bn1).weight


def _kept(channels: int, share: float) -> int:
    """How many of a block's channels stay."""
    kept = max(1, round((1 - share) * channels))
    return kept if kept < MULTIPLE else MULTIPLE * round(kept / MULTIPLE)
