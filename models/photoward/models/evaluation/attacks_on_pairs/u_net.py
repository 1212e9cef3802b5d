"""A U-Net learns δ from pairs that leaked and subtracts it from what was scraped.

Stands in for BridgePure (Wang et al., arXiv 2412.21061), which restores nearly all.

No result of it is stored in ``docs/benchmarks`` yet.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import torch
from torch import nn
from torch.nn import functional

from photoward.models.evaluation.countermeasures.base import Countermeasure
from photoward.models.evaluation.countermeasures.cleaning import (
    SEED,
    conv3x3,
    in_parts,
    initialise,
    train,
    unit_range,
)

if TYPE_CHECKING:
    from photoward.models.evaluation.trainer_run import Leak, Scene

CROP = 64
"""Side of the random crops to train on, pixels."""


def subtracting(whose: str, epochs: int) -> Countermeasure:
    """Learn δ from pairs that leaked, subtract it from what was scraped.

    Stands in for BridgePure (Wang et al., arXiv 2412.21061), which restores nearly all.
    """

    def prepare(scene: Scene) -> Scene:
        leak = scene.leaks[whose]
        what = {"subtract": epochs, "leak": leak.digest}

        def compute(samples: torch.Tensor) -> torch.Tensor:
            network = _subtractor(scene, leak, epochs)
            return in_parts(network.cleaned, samples, scene)

        cleaned = scene.derived.rows(what, scene.train.pictures, compute)
        return replace(scene, train=replace(scene.train, pictures=cleaned))

    tenant = "the same tenant" if whose == "same" else "another tenant"
    return Countermeasure(
        f"U-Net from pairs of {tenant}",
        "in place of BridgePure: Wang et al., arXiv 2412.21061",
        {"epochs": epochs, "width": Subtractor.WIDTH},
        prepare=prepare,
        needs=whose,
    )


class Subtractor(nn.Module):
    """A U-Net of three scales that tells δ of protected pictures ``[N, 3, S, S]``, any S."""

    WIDTH = 16

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        widths = (self.WIDTH, 2 * self.WIDTH, 3 * self.WIDTH)
        self.down = nn.ModuleList(
            _block(inner, outer) for inner, outer in zip((3, *widths), widths, strict=False)
        )
        self.up = nn.ModuleList(
            _block(deep + high, high)
            for deep, high in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.last = conv3x3(self.WIDTH, 3)
        initialise(self, generator)
        nn.init.zeros_(self.last.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """δ in unit floats."""
        kept: list[torch.Tensor] = []
        for number, block in enumerate(self.down):
            x = block(functional.avg_pool2d(x, 2, ceil_mode=True) if number else x)
            kept.append(x)
        for block, high in zip(self.up, kept[-2::-1], strict=True):
            x = block(torch.cat([functional.interpolate(x, size=high.shape[2:]), high], dim=1))
        return cast("torch.Tensor", self.last(x))

    def cleaned(self, x: torch.Tensor, _first: int = 0) -> torch.Tensor:
        """Pictures without what it takes for δ."""
        noise: torch.Tensor = self(x)
        return (x - noise).clamp(0, 1)


def _block(inner: int, outer: int) -> nn.Module:
    return nn.Sequential(conv3x3(inner, outer), nn.ReLU(), conv3x3(outer, outer), nn.ReLU())


def _subtractor(scene: Scene, leak: Leak, epochs: int) -> Subtractor:
    order = torch.Generator().manual_seed(SEED)
    network = Subtractor(torch.Generator().manual_seed(SEED)).to(scene.device)
    side = min(CROP, leak.originals.shape[-1])

    def loss(index: torch.Tensor, _epoch: int) -> torch.Tensor:
        room = leak.originals.shape[-1] - side + 1
        top, left = (int(torch.randint(room, (), generator=order)) for _ in range(2))
        before, after = (
            unit_range(samples[index, :, top : top + side, left : left + side], scene)
            for samples in (leak.originals, leak.protected)
        )
        if torch.rand((), generator=order) < 0.5:  # noqa: PLR2004  # half of the batches mirrored
            before, after = before.flip(3), after.flip(3)
        return functional.l1_loss(network(after), after - before)

    return train(network, loss, len(leak.originals), epochs, scene)
