"""Small labelled pictures with names, as if read from class folders."""

from __future__ import annotations

import torch

from photoward.models.training.data import LabelledPictures

CLASSES = ["left", "right"]


def pictures(each: int = 10, seed: int = 0, side: int = 16) -> LabelledPictures:
    """Two classes, told by where a picture is bright."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(2).repeat_interleave(each)
    samples = torch.randint(0, 128, (2 * each, 3, side, side), generator=generator).byte()
    samples[:each, :, : side // 2] += 127
    samples[each:, :, side // 2 :] += 127
    names = tuple(f"{name}/{i}.png" for name in CLASSES for i in range(each))
    return LabelledPictures(samples, labels, CLASSES, names)
