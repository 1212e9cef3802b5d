"""What a pass costs and what the machine can do: floating-point operations, counted and timed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.flop_counter import FlopCounterMode

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

MULTIPLY_SIDE = {"cpu": 1024, "cuda": 8192}
"""Device type → side of the matrices whose product shows the peak: large enough to keep every
core busy, small enough for the caches of one."""

PRODUCTS = 8
"""Products that are timed together."""


def seconds(work: Callable[[], Any], device: torch.device) -> float:
    """Wall time of ``work`` on an otherwise idle device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    began = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began


def pass_flops(network: nn.Module, size: int, device: torch.device, dtype: torch.dtype) -> float:
    """Operations of one picture's forward pass and of the backward pass to its pixels.

    Multiplications and additions count one each; what is neither convolution nor matrix product
    is not counted.
    """
    n = 2
    x = torch.zeros(n, 3, size, size, device=device, dtype=dtype, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        network(x).sum().backward()
    flops: int = counter.get_total_flops()
    return flops / n


def multiply_peak(device: torch.device, dtype: torch.dtype) -> float:
    """Operations a second that square matrix products reach here, all threads together."""
    side = MULTIPLY_SIDE[device.type]
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.rand(side, side, generator=generator).to(device, dtype) for _ in range(2))
    product = torch.mm(left, right)

    def multiply() -> None:
        for _ in range(PRODUCTS):
            torch.mm(left, right, out=product)

    return PRODUCTS * 2 * side**3 / seconds(multiply, device)
