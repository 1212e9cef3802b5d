"""Trainers who start from ImageNet weights, one function for each way to go on from there.

Which network is a parameter: a figure is worth something where the network was no surrogate.

``by_adam`` reaches 76 % from 4 000 unprotected CIFAR-10 images (71 % from ``sem``; one seed) and
86 % from 1 200 photos (two seeds). The other recipes have no stored result beyond the probe's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from photoward.models.evaluation.countermeasures import input_space
from photoward.models.evaluation.countermeasures.base import Countermeasure
from photoward.models.evaluation.trainers.frozen_features import (
    Probe,
    linear_probe,
    nearest_mean,
    nearest_neighbours,
    on_features,
    train_features,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from photoward.models.evaluation.pretrained_networks import Networks, Victim
    from photoward.models.evaluation.trainer_run import Scene

RATES = (0.001, 0.003, 0.01, 0.03)
"""Learning rates of fine-tuning: noise holds against some of them, and a trainer tries."""

USUAL_RATE = 0.01
PROBED_RATE = 0.005
"""After a probe: the head knows its way, and less destroys less."""

EARLY = 0.5
"""Share of the layers that stay as they are."""

LOW = (10, 20, 30)
"""Percent of the frequencies that are left in each direction."""

BATCH, DECAY = 32, 1e-4
ADAM_RATE, ADAM_DECAY, ADAM_EFFORT = 1e-3, 0.05, 0.25


def trainers(
    networks: Networks, network: str, side: int, epochs: int
) -> Iterator[tuple[str, Countermeasure]]:
    """Name without the network → everything that is tried with it.

    Args:
        networks: what is installed.
        network: the one to start from.
        side: pixels that it is shown; smaller pictures are enlarged.
        epochs: of fine-tuning.
    """
    for name, title, source, fit in (
        (
            "probe",
            "linear probe",
            "Alain, Bengio: Linear classifier probes. arXiv 1610.01644",
            linear_probe,
        ),
        ("nearest-mean", "nearest mean of features", "common practice", nearest_mean),
        (
            "knn",
            "nearest neighbours of features",
            "Wu et al., CVPR 2018, arXiv 1805.01978",
            nearest_neighbours,
        ),
    ):
        yield name, on_features(networks, network, title, source, fit, side)
    for rate in RATES:
        yield f"fine-tune-{rate:g}", fine_tuning(networks, network, side, epochs, rate)
    usual = fine_tuning(networks, network, side, epochs, USUAL_RATE)
    yield "probe-fine-tune", probe_first(networks, network, side, epochs)
    yield "frozen-early", frozen_early(networks, network, side, epochs)
    yield (
        "grey-fine-tune",
        replace(
            usual, title=f"grey, then {usual.title}", lens=input_space.grayscale().lens, family=""
        ),
    )
    for percent in LOW:
        yield (
            f"low-pass-{percent}",
            replace(
                usual,
                title=f"lowest {percent} % of frequencies, then {usual.title}",
                parameters={**usual.parameters, "kept": percent / 100},
                family="low-pass",
                lens=input_space.low_pass(percent / 100),
            ),
        )


def fine_tuning(
    networks: Networks, network: str, side: int, epochs: int, rate: float
) -> Countermeasure:
    """Train all weights by SGD."""

    def start(scene: Scene) -> Victim:
        return networks.victim(network, len(scene.train.classes), side)

    return Countermeasure(
        f"fine-tuning at {rate:g}",
        "common practice",
        {"side_px": side, "weights": networks.digest(network)},
        network=network,
        start=start,
        recipe={"epochs": epochs, "batch": BATCH, "learning_rate": rate, "weight_decay": DECAY},
        family="fine-tune",
    )


def probe_first(networks: Networks, network: str, side: int, epochs: int) -> Countermeasure:
    """Fit the head to frozen features, then train all weights (Kumar et al., ICLR 2022)."""

    def prepare(scene: Scene) -> Scene:
        train_features(scene, networks, network, side)  # kept; nobody waits for them later
        return scene

    def start(scene: Scene) -> Victim:
        probe = Probe(train_features(scene, networks, network, side))
        for _ in probe.fit():
            pass
        victim = networks.victim(network, len(scene.train.classes), side)
        victim.begin_with(*probe.head())
        return victim

    usual = fine_tuning(networks, network, side, epochs, PROBED_RATE)
    return replace(
        usual,
        title=f"linear probe, then {usual.title}",
        prepare=prepare,
        start=start,
        family="",
        source="Kumar et al.: Fine-tuning can distort pretrained features. arXiv 2202.10054",
    )


def frozen_early(networks: Networks, network: str, side: int, epochs: int) -> Countermeasure:
    """Train the later layers alone."""
    usual = fine_tuning(networks, network, side, epochs, USUAL_RATE)

    def start(scene: Scene) -> Victim:
        victim = networks.victim(network, len(scene.train.classes), side)
        victim.freeze(EARLY)
        return victim

    return replace(
        usual,
        title=f"early layers frozen, {usual.title}",
        start=start,
        family="",
        parameters={**usual.parameters, "frozen": EARLY},
    )


def by_adam(networks: Networks, network: str, side: int) -> Countermeasure:
    """Train all weights by AdamW, in a quarter of the recipe's epochs."""
    usual = fine_tuning(networks, network, side, 1, ADAM_RATE)
    return replace(
        usual,
        title="start from ImageNet weights",
        family="",
        effort=ADAM_EFFORT,
        source="common practice; EfficientNet-Lite0",
        recipe={"optimiser": "adamw", "learning_rate": ADAM_RATE, "weight_decay": ADAM_DECAY},
    )
