"""What a trainer may do about protected pictures: one registry, name → countermeasure.

Which pictures it touches: files (JPEG, bit depth, filters, resizing) and per-batch changes touch
training pictures alone; grayscale and projection change the input space and so are applied to the
test pictures too.
"""

from __future__ import annotations

from photoward.models.evaluation.countermeasures import (
    batches,
    files,
    lenses,
    pretrained,
    worst,
)
from photoward.models.evaluation.countermeasures.base import Countermeasure

NONE = "none"


def registry(
    *, attack_steps: int = 10, candidates: int = 5, pretrained_side: int = 128
) -> dict[str, Countermeasure]:
    """All countermeasures, in the order of a table.

    Args:
        attack_steps: PGD steps of adversarial training.
        candidates: augmentations of a picture of which the hardest is trained on.
        pretrained_side: pixels that a pretrained network is shown.
    """
    return {
        NONE: Countermeasure("plain training", "crop and flip, one-cycle SGD"),
        **{f"at-{epsilon}": worst.adversarial(epsilon, attack_steps) for epsilon in (1, 2, 4, 8)},
        **{f"jpeg-{quality}": files.jpeg(quality) for quality in (10, 30, 50, 75, 90)},
        "grayscale": lenses.grayscale(),
        "bit-depth": files.bit_depth(2),
        "gaussian": files.gaussian(1.0),
        "median": files.median(3),
        "resize": files.resize(2.0),
        "cutout": batches.cutout(),
        "mixup": batches.mixup(),
        "cutmix": batches.cutmix(),
        "ueraser": worst.hardest_augmentation(candidates),
        "projection": lenses.orthogonal_projection(epochs=20),
        "coin": batches.coin(),
        "rsk": batches.sharpening(),
        "pretrained": pretrained.fine_tuning(pretrained_side),
    }
