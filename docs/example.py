"""Makes docs/example.webp, the README's picture: ``python docs/example.py``.

The cat Chelsea (CC0, by Stéfan van der Walt; scikit-image ships it) goes through ``photoward
protect`` with the default settings. Shown are the original, the protected file and their difference
times ten around mid grey, each 451 × 300 pixels.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

EXAMPLE = Path(__file__).with_name("example.webp")
GAIN = 10
MID_GREY = 128
QUALITY = 90


def protected(original: np.ndarray) -> np.ndarray:
    """What ``photoward protect`` makes of 8-bit RGB pixels (H × W × 3), by a new secret."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "cat.png"
        Image.fromarray(original).save(source)
        subprocess.run(  # noqa: S603  # a fixed command
            [
                *(sys.executable, "-m", "photoward.api.cli", "protect", source),
                *("--out", folder / "out", "--label", "cat", "--data-dir", folder / "secret"),
            ],
            check=True,
        )
        with Image.open(folder / "out" / "cat.png") as image:
            return np.asarray(image.convert("RGB"))


def side_by_side(before: np.ndarray, after: np.ndarray) -> Image.Image:
    """Before, after and the enlarged difference as one picture, H × 3 W pixels."""
    change = after.astype(int) - before
    difference = np.clip(MID_GREY + GAIN * change, 0, 255).astype(np.uint8)
    return Image.fromarray(np.hstack([before, after, difference]))


if __name__ == "__main__":
    photo = data.chelsea()
    side_by_side(photo, protected(photo)).save(EXAMPLE, quality=QUALITY, method=6)
