"""A folded ResNet-18 in the fewest oneDNN calls: pooled features and their gradient.

Under autograd a sixth of a pass on a CPU does no multiplication: it walks over feature maps for
ReLUs and additions, takes fresh memory, and repacks each weight at each call. Here weights are
packed once, ReLUs and shortcuts happen inside the convolutions, and the way back works in place.
The calls are those that torch's own compiler emits; no compiler is needed for them. CPU only: on
CUDA autograd serves.
"""
# ruff: noqa: SLF001  # torch has no public names for these calls; ``fuse`` tries them out first

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from photoward.models.surrogates.architectures.resnet import Block, ResNet18

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    Features: TypeAlias = Callable[[torch.Tensor], torch.Tensor]

ONE, ZERO = [1, 1], [0, 0]
TRIED = 2
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.1}
"""Of features and gradients against autograd's, as a share of their norm. In float32 they were the
same bits; bfloat16 rounds once fewer here."""


def fuse(network: nn.Module, pictures: torch.Tensor) -> Features | None:
    """The fast way to ``network.features``, or None where there is none.

    Args:
        network: frozen, batch norm folded.
        pictures: ``[N, 3, S, S]`` as the network will be fed, to pack the weights for; the first
            are tried out. Other N work too.
    """
    if not (isinstance(network, ResNet18) and pictures.device.type == "cpu"):
        return None
    if pictures.shape[-1] % (8 * network.stride) or not torch.backends.mkldnn.is_available():
        return None
    try:
        fused = FusedResNet18(network, pictures.shape)
        agree = _agree(network.features, fused, pictures[:TRIED])
    except (AttributeError, RuntimeError):  # another torch, another processor: autograd serves
        return None
    return fused if agree else None


class FusedResNet18:
    """Callable as ``features``, differentiable once, with respect to the pictures alone."""

    def __init__(self, network: ResNet18, shape: Sequence[int]) -> None:
        self.stem = _Convolution(cast("nn.Conv2d", network.stem[0]), shape)
        self.blocks: list[tuple[_Convolution, _Convolution, _Convolution | None]] = []
        shape = self.stem.shape_out
        stages = cast("list[list[Block]]", network.stages)
        for block in (block for stage in stages for block in stage):
            first = _Convolution(block.conv1, shape)
            second = _Convolution(block.conv2, first.shape_out)
            shortcut = None
            if isinstance(block.shortcut, nn.Sequential):
                shortcut = _Convolution(cast("nn.Conv2d", block.shortcut[0]), shape)
            self.blocks.append((first, second, shortcut))
            shape = first.shape_out

    def __call__(self, pictures: torch.Tensor) -> torch.Tensor:
        """Pooled features ``[N, D]`` of normalised pictures."""
        features: torch.Tensor = _Pass.apply(pictures, self)
        return features

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Feature maps after every ReLU; all that the way back needs."""
        maps = [self.stem.relu(x)]
        for first, second, shortcut in self.blocks:
            x = maps[-1]
            inner = first.relu(x)
            added = x if shortcut is None else shortcut.linear(x)
            maps += [inner, second.relu_of_sum(inner, added)]
        return maps

    def backward(self, grad: torch.Tensor, maps: list[torch.Tensor]) -> torch.Tensor:
        """Gradient of the pictures from that of the features; consumes ``maps``."""
        n, channels, height, width = maps[-1].shape
        share = (grad / (height * width))[:, :, None, None].expand(n, channels, height, width)
        grad = share.contiguous(memory_format=torch.channels_last)
        for first, second, shortcut in reversed(self.blocks):
            outer = _masked(grad, maps.pop())
            inner = _masked(second.back(outer), maps.pop())
            if shortcut is None:
                grad = first.back_onto(outer, inner)
            else:  # its convolution looks at every other pixel
                grad = first.back(inner)
                grad[:, :, ::2, ::2] += shortcut.back(outer)
        return self.stem.back(_masked(grad, maps.pop()))


class _Pass(torch.autograd.Function):
    """One pass forth and back."""

    @staticmethod
    def forward(ctx: Any, pictures: torch.Tensor, net: FusedResNet18) -> torch.Tensor:  # noqa: ANN401  # autograd's own
        """Keep the feature maps for the way back."""
        ctx.net, ctx.maps = net, net.forward(pictures)
        pooled: torch.Tensor = ctx.maps[-1].mean(dim=(2, 3))
        return pooled

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:  # noqa: ANN401  # the same
        """Gradient of the pictures; the net is no tensor."""
        return ctx.net.backward(grad, ctx.maps), None


class _Convolution:
    """A frozen square convolution with bias, its weights packed for both directions.

    Args:
        layer: with the padding at which it answers one number for each ``stride`` pixels a side.
        shape: of its input.
    """

    def __init__(self, layer: nn.Conv2d, shape: Sequence[int]) -> None:
        weight, self._bias = layer.weight.detach(), layer.bias
        self._stride, self._pad = list(layer.stride), [int(layer.padding[0])] * 2
        step, kernel = self._stride[0], layer.kernel_size[0]
        self.shape_out = [shape[0], len(weight), shape[2] // step, shape[3] // step]
        self._rest = [(shape[2] + 2 * self._pad[0] - kernel) % step] * 2
        ops = torch.ops.mkldnn
        self._forth = ops._reorder_convolution_weight(
            weight, self._pad, self._stride, ONE, 1, list(shape)
        )
        self._spreads = step > 1 and self._pad != ZERO
        if self._spreads:
            self._back = ops._reorder_convolution_transpose_weight(
                weight, self._pad, self._rest, self._stride, ONE, 1, self.shape_out
            )
        else:  # the gradient is a convolution with the mirrored kernel
            mirrored = weight.transpose(0, 1).flip(2, 3)
            self._back = ops._reorder_convolution_weight(
                mirrored.contiguous(memory_format=torch.channels_last),
                self._pad,
                ONE,
                ONE,
                1,
                self.shape_out,
            )

    def linear(self, x: torch.Tensor, after: str = "none") -> torch.Tensor:
        y: torch.Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, self._forth, self._bias, self._pad, self._stride, ONE, 1, after, [], ""
        )
        return y

    def relu(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x, "relu")

    def relu_of_sum(self, x: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = torch.ops.mkldnn._convolution_pointwise.binary(
            x,
            other,
            self._forth,
            self._bias,
            self._pad,
            self._stride,
            ONE,
            1,
            "add",
            1.0,
            "relu",
            [],
            "",
        )
        return y

    def back(self, grad: torch.Tensor) -> torch.Tensor:
        """Gradient of the input; for a 1×1 kernel with a stride, of the pixels it looked at."""
        ops = torch.ops.mkldnn
        found: torch.Tensor
        if self._spreads:
            found = ops._convolution_transpose_pointwise(
                grad, self._back, None, self._pad, self._rest, self._stride, ONE, 1, "none", [], ""
            )
        else:
            found = ops._convolution_pointwise(
                grad, self._back, None, self._pad, ONE, ONE, 1, "none", [], ""
            )
        return found

    def back_onto(self, total: torch.Tensor, grad: torch.Tensor) -> torch.Tensor:
        """Add the gradient of the input to ``total``, in place."""
        torch.ops.mkldnn._convolution_pointwise_.binary(
            total, grad, self._back, None, self._pad, ONE, ONE, 1, "add", 1.0, None, [], None
        )
        return total


def _masked(grad: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """The gradient before a ReLU that gave ``seen``, in place."""
    torch.ops.aten.threshold_backward.grad_input(grad, seen, 0, grad_input=grad)
    return grad


def _agree(plain: Features, fused: Features, pictures: torch.Tensor) -> bool:
    """Whether features and gradients are the same but for rounding."""
    answers = []
    for features in (fused, plain):  # where the fused calls are missing, that shows at once
        seen = pictures.detach().requires_grad_()
        found = features(seen)
        answers.append((found, torch.autograd.grad(found.square().sum(), seen)[0]))
    return all(
        bool((ours - wanted).norm() <= TOLERANCE[pictures.dtype] * wanted.norm())
        for ours, wanted in zip(*answers, strict=True)
    )
