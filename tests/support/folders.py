"""Class folders of small pictures on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path


def striped(root: Path, each: int = 8, classes: tuple[str, ...] = ("left", "right")) -> Path:
    """``root/CLASS/N.png``: a class is told by where its pictures are bright."""
    random = np.random.default_rng(0)
    for number, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for i in range(each):
            samples = random.integers(0, 128, (32, 32, 3), dtype=np.uint8)
            samples[:, number * 8 : number * 8 + 16] += 127
            Image.fromarray(samples).save(root / name / f"{i}.png")
    return root
