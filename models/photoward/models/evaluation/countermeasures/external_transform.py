"""Adversarial examples as a trainer's own transform: each picture away from an external opinion.

Xiao and Zheng (CVPR 2020, arXiv 1911.11219) put this before a classifier so that attacks on it
fail: what an attacker adds is overwritten by what the transform adds. A trainer may hope the same
of protective noise. Trainer and tester transform every picture, for the transform is part of the
classifier.

No result of it is stored in ``docs/benchmarks`` yet.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from photoward.models.evaluation.countermeasures.base import Countermeasure
from photoward.models.evaluation.pretrained_networks import enlarged
from photoward.models.pixels import LEVELS, budget

if TYPE_CHECKING:
    from collections.abc import Callable

    from photoward.models.evaluation.pretrained_networks import Networks
    from photoward.models.evaluation.trainer_run import Scene
    from photoward.models.training.data import LabelledPictures

STEPS, SHARE = 13, 10
"""Steps, each of a tenth of the radius (the paper's)."""

RADII = (8, 25)
BATCH = 32


def transform(networks: Networks, network: str, epsilon: int, side: int) -> Countermeasure:
    """A trainer from scratch behind the transform by ``network``, within ±``epsilon``/255."""

    def prepare(scene: Scene) -> Scene:
        logits = networks.frozen(network, scene.device).logits
        what = {
            "external": networks.digest(network),
            "epsilon_255": epsilon,
            "side": side,
            "steps": STEPS,
        }

        def compute(samples: torch.Tensor) -> torch.Tensor:
            found = []
            for part in samples.split(BATCH):
                scene.report(0, 0.0)
                x = part.to(scene.device, torch.float32).div_(LEVELS)
                moved = away(lambda seen: logits(enlarged(seen, side)), x, budget(epsilon))
                found.append(moved.mul(LEVELS).round().byte().cpu())
            return torch.cat(found)

        def moved(data: LabelledPictures) -> LabelledPictures:
            return replace(data, pictures=scene.derived.rows(what, data.pictures, compute))

        return replace(scene, train=moved(scene.train), test=moved(scene.test))

    return Countermeasure(
        f"external adversarial transform {epsilon}/255 by {network}",
        "Xiao, Zheng: One man's trash is another man's treasure. CVPR 2020, arXiv 1911.11219",
        {
            "epsilon_255": epsilon,
            "steps": STEPS,
            "side_px": side,
            "weights": networks.digest(network),
        },
        prepare=prepare,
    )


def away(
    logits: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, radius: float
) -> torch.Tensor:
    """``x`` ``[N, 3, S, S]`` in [0, 1], moved within ``radius`` away from what ``logits`` say.

    Starts at ``x``: the same picture is always moved to the same place.
    """
    with torch.no_grad():
        opinion = logits(x).argmax(1)
    noise = torch.zeros_like(x)
    for _ in range(STEPS):
        noise.requires_grad_()
        loss = functional.cross_entropy(logits((x + noise).clamp(0, 1)), opinion, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, noise)
        noise = (noise.detach() + radius / SHARE * gradient.sign()).clamp(-radius, radius)
    return (x + noise).clamp(0, 1)
