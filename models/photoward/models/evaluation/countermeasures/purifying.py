"""Trainers who clean what they scraped with a network that they train for it.

D-VAE needs nothing but the protected pictures; the U-Net learns from pairs that leaked.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import nn
from torch.nn import functional

from photoward.models.evaluation.countermeasures.base import Countermeasure
from photoward.models.evaluation.countermeasures.purifiers import Disentangler, Subtractor
from photoward.models.pixels import LEVELS

Network = TypeVar("Network", bound=nn.Module)

if TYPE_CHECKING:
    from collections.abc import Callable

    from photoward.models.evaluation.trial import Leak, Scene
    from photoward.models.training.data import LabelledPictures

    Loss = Callable[[torch.Tensor, int], torch.Tensor]
    """Numbers of pictures, number of the epoch → what is to fall."""

BATCH = 64
RATE = 2e-3
SEED = 0

LARGEST_PX = 64
"""D-VAE's pictures; its work grows with their area."""

LOOSE, TIGHT = (0.01, 1.0), (0.5, 3.0)
"""Weight of the rate and the nats for each place of the code, below which it costs nothing: first
to find what is easiest to code (the noise), then to let no more through than pictures need."""

SMALL = 0.002
"""Mean square of the noise that is not punished; after a sixth of the epochs."""

CROP = 64


def d_vae(epochs: int) -> Countermeasure:
    """Split pictures into what a narrow code can carry and what a class's noise explains.

    The paper's two rounds, by a network a quarter as wide: subtract the noise that the first
    finds, train anew on the rest under a tighter rate, subtract again, keep the reconstruction.
    """

    def prepare(scene: Scene) -> Scene:
        what = {"d-vae": epochs, "set": scene.train.digest()}
        cleaned = scene.derived.whole(what, lambda: _disentangled(scene, epochs))
        return replace(scene, train=replace(scene.train, pictures=cleaned))

    return Countermeasure(
        "D-VAE",
        "Yu et al.: Purify unlearnable examples via rate-constrained variational "
        "autoencoders. ICML 2024, arXiv 2405.01460",
        {"epochs": epochs, "width": Disentangler.WIDTH},
        prepare=prepare,
        largest_px=LARGEST_PX,
    )


def subtracting(whose: str, epochs: int) -> Countermeasure:
    """Learn δ from pairs that leaked, subtract it from what was scraped.

    Stands in for BridgePure (Wang et al., arXiv 2412.21061), which restores nearly all.
    """

    def prepare(scene: Scene) -> Scene:
        leak = scene.leaks[whose]
        what = {"subtract": epochs, "leak": leak.digest}

        def compute(samples: torch.Tensor) -> torch.Tensor:
            network = _subtractor(scene, leak, epochs)
            return _in_parts(network.cleaned, samples, scene)

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


def then(first: Countermeasure, second: Countermeasure) -> Countermeasure:
    """Clean as ``first`` does, train as ``second`` does."""
    return replace(
        second,
        title=f"{first.title}, then {second.title}",
        source=f"{first.source}; {second.source}",
        parameters={**first.parameters, **second.parameters},
        prepare=lambda scene: second.prepare(first.prepare(scene)),
        needs=first.needs,
        largest_px=first.largest_px,
        family="",
    )


def _disentangled(scene: Scene, epochs: int) -> torch.Tensor:
    data = scene.train
    for target in (LOOSE, TIGHT):
        network = _disentangler(scene, data, target, max(1, epochs // 2))
        labels = data.labels

        def without(x: torch.Tensor, first: int, network: Disentangler = network) -> torch.Tensor:
            y = labels[first : first + len(x)].to(scene.device)  # noqa: B023  # used at once
            return (x - network.noise(x, y)).clamp(0, 1)

        data = replace(data, pictures=_in_parts(without, data.pictures, scene))
    return _in_parts(lambda x, _: network.reconstruction(x), data.pictures, scene)


def _disentangler(
    scene: Scene, data: LabelledPictures, target: tuple[float, float], epochs: int
) -> Disentangler:
    generator = torch.Generator(scene.device).manual_seed(SEED)
    network = Disentangler(len(data.classes), torch.Generator().manual_seed(SEED)).to(scene.device)
    weight, free = target

    def loss(index: torch.Tensor, epoch: int) -> torch.Tensor:
        x = _unit(data.pictures[index], scene)
        seen, noise, rate = network(x, data.labels[index].to(scene.device), generator)
        found = functional.mse_loss(seen, x) + weight * rate.clamp(min=free)
        found = found + functional.mse_loss((seen + noise).clamp(0, 1), x)
        small = noise.square().mean().clamp(min=SMALL) if 6 * epoch > epochs else 0
        total: torch.Tensor = found + small
        return total

    return _trained(network, loss, len(data.labels), epochs, scene)


def _subtractor(scene: Scene, leak: Leak, epochs: int) -> Subtractor:
    order = torch.Generator().manual_seed(SEED)
    network = Subtractor(torch.Generator().manual_seed(SEED)).to(scene.device)
    side = min(CROP, leak.originals.shape[-1])

    def loss(index: torch.Tensor, _epoch: int) -> torch.Tensor:
        room = leak.originals.shape[-1] - side + 1
        top, left = (int(torch.randint(room, (), generator=order)) for _ in range(2))
        before, after = (
            _unit(samples[index, :, top : top + side, left : left + side], scene)
            for samples in (leak.originals, leak.protected)
        )
        if torch.rand((), generator=order) < 0.5:  # noqa: PLR2004  # half of the batches mirrored
            before, after = before.flip(3), after.flip(3)
        return functional.l1_loss(network(after), after - before)

    return _trained(network, loss, len(leak.originals), epochs, scene)


def _trained(network: Network, loss: Loss, count: int, epochs: int, scene: Scene) -> Network:
    """Adam under a falling rate; the caller's end is heeded at each step."""
    order = torch.Generator().manual_seed(SEED)
    optimiser = torch.optim.Adam(network.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for epoch in range(epochs):
        for index in torch.randperm(count, generator=order).split(BATCH):
            scene.report(0, 0.0)
            found = loss(index, epoch)
            optimiser.zero_grad()
            found.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
        schedule.step()
    return network.eval()


@torch.no_grad()
def _in_parts(
    change: Callable[[torch.Tensor, int], torch.Tensor], samples: torch.Tensor, scene: Scene
) -> torch.Tensor:
    """8-bit pictures after ``change``, which is told the number of the first of a part."""
    found, first = [], 0
    for part in samples.split(BATCH):
        found.append(change(_unit(part, scene), first).mul(LEVELS).round().byte().cpu())
        first += len(part)
    return torch.cat(found)


def _unit(samples: torch.Tensor, scene: Scene) -> torch.Tensor:
    return samples.to(scene.device, torch.float32).div_(LEVELS)
