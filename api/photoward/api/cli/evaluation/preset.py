"""Presets of an evaluation: plain training, a quick look, or everything."""

from __future__ import annotations

from dataclasses import dataclass, replace

ALL = ("all",)


@dataclass(frozen=True)
class EvaluationPreset:
    """Which trainings an evaluation runs.

    ``shares`` are percentages of protected images; ``plain_*`` are run without countermeasures;
    sides are in pixels, ``width`` in channels of the first stage.
    """

    countermeasures: tuple[str, ...] = ("none",)
    architectures: tuple[str, ...] = ("resnet18",)
    plain_architectures: tuple[str, ...] = ()
    shares: tuple[int, ...] = (100,)
    plain_shares: tuple[int, ...] = ()
    seeds: int = 1
    epochs: int = 15
    batch: int = 128
    learning_rate: float = 0.1
    width: int = 16
    pictures: int | None = None
    attack_steps: int = 10
    candidates: int = 5
    pretrained_side: int = 128
    fine_tune_epochs: int = 6
    purifier_epochs: int = 40


PLAIN = EvaluationPreset()

QUICK = EvaluationPreset(
    countermeasures=(
        "none",
        "jpeg-10",
        "jpeg-75",
        "grayscale",
        "gaussian",
        "cutmix",
        "ueraser",
        "projection",
        "coin",
        "rsk",
        "pretrained",
    ),
    architectures=("vgg",),
    plain_shares=(80,),
    epochs=18,
    batch=32,
    learning_rate=0.03,
    pictures=600,
    attack_steps=2,
    candidates=3,
    pretrained_side=64,
)
"""One seed and the cheapest architecture, for ten minutes on two cores. No adversarial training: it
learns nothing of the drawn shapes in that time, not even at 1/255."""

FULL = EvaluationPreset(
    countermeasures=ALL,
    architectures=("resnet18", "vgg", "mobilenetv2", "vit"),
    plain_shares=(20, 40, 60, 80),
    seeds=3,
    epochs=60,
    width=64,
)
"""For a GPU: the papers' width, every countermeasure with every architecture."""


def with_options(preset: EvaluationPreset, **options: object) -> EvaluationPreset:
    """The preset with the options that were given (None: not given) in place of its own.

    Shares and architectures that are named are crossed with all countermeasures; those that a
    preset adds by itself train plainly.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if "shares" in given:
        given["plain_shares"] = ()
    if "architectures" in given:
        given["plain_architectures"] = ()
    return replace(preset, **given)  # type: ignore[arg-type]  # the command line's own types
