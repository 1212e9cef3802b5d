"""The first claim of the external transform: a classifier behind it resists attacks.

Xiao and Zheng (CVPR 2020, tables 1 and 2), at small scale: one classifier trained plainly and one
behind the transform, by the same recipe; both are attacked. The attacker knows the classifier and
the transform, and differentiates through the latter as if it did nothing (BPDA), which is the
paper's strongest published attack of its kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from photoward.models.evaluation.countermeasures.base import plain_training
from photoward.models.evaluation.countermeasures.external_transform import away
from photoward.models.evaluation.pretrained_networks import enlarged
from photoward.models.evaluation.trainers.victim import trained
from photoward.models.pixels import budget

if TYPE_CHECKING:
    from collections.abc import Callable

    from photoward.models.evaluation.countermeasures.base import Countermeasure, Network
    from photoward.models.evaluation.pretrained_networks import Networks
    from photoward.models.evaluation.trainer_run import Scene

    Before = Callable[[torch.Tensor], torch.Tensor]

STEP = 4
"""A step is a quarter of the attacker's radius."""


@dataclass(frozen=True)
class Attack:
    """PGD on a classifier from outside."""

    epsilon: int
    """In 1/255."""
    steps: int
    pictures: int
    """Of the test set, evenly taken."""


def resistance(
    scene: Scene, networks: Networks, network: str, behind: Countermeasure, attack: Attack
) -> list[dict[str, float | str]]:
    """Accuracy of both classifiers, clean and under attack.

    Args:
        scene: what they are trained and tested on.
        networks: what is installed.
        network: the external one.
        behind: ``external.transform`` by it.
        attack: what they have to stand.
    """
    asked = networks.frozen(network, scene.device)
    side, radius = (behind.parameters[name] for name in ("side_px", "epsilon_255"))

    def transform(x: torch.Tensor) -> torch.Tensor:
        return away(lambda seen: asked.logits(enlarged(seen, int(side))), x, budget(float(radius)))

    rows: list[dict[str, float | str]] = []
    for name, countermeasure, before in (
        ("plain", plain_training(), lambda x: x),
        (f"behind {network} {radius}/255", behind, transform),
    ):
        _, logits = trained(scene, countermeasure)
        rows.append({"classifier": name, **_accuracies(scene, logits, before, attack)})
    return rows


def _accuracies(scene: Scene, logits: Network, before: Before, attack: Attack) -> dict[str, float]:
    count = len(scene.test.labels)
    chosen = torch.linspace(0, count - 1, min(count, attack.pictures)).round().long()
    x = scene.recipe.seen(scene.test.pictures[chosen].to(scene.device))
    y = scene.test.labels[chosen].to(scene.device)

    def right(seen: torch.Tensor) -> float:
        with torch.no_grad():
            found = logits(seen).argmax(1)
        return round(float((found == y).float().mean()), 4)

    return {
        "clean": right(before(x)),
        "attacked": right(before(_attacked(logits, before, x, y, attack))),
        "pictures": float(len(chosen)),
    }


def _attacked(
    logits: Network, before: Before, x: torch.Tensor, y: torch.Tensor, attack: Attack
) -> torch.Tensor:
    radius = budget(attack.epsilon)
    noise = torch.zeros_like(x)
    for _ in range(attack.steps):
        seen = before((x + noise).clamp(0, 1)).detach().requires_grad_()
        loss = functional.cross_entropy(logits(seen), y, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, seen)
        noise = (noise + radius / STEP * gradient.sign()).clamp(-radius, radius)
    return (x + noise).clamp(0, 1)
