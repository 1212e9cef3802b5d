"""A drawn data set: four classes of shapes on photo-like backgrounds.

Only the form tells the class: position, size, angle and colours are random.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from pathlib import Path

    Points = list[tuple[float, float]]

SIDE = 32
FINE = 4
"""Shapes are drawn this many times larger, for smooth edges."""

CLASSES = ("bars", "cross", "disc", "triangle")


def write_shapes(folder: Path, each: int, seed: int = 0) -> None:
    """Write ``folder/CLASS/NUMBER.png``, ``each`` images of 32 × 32 pixels per class."""
    random = np.random.default_rng(seed)
    for name in CLASSES:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            shape(name, random).save(folder / name / f"{number:04}.png")


def shape(name: str, random: np.random.Generator) -> Image.Image:
    """One picture of a class."""
    background = _background(random)
    mask = Image.new("L", (SIDE * FINE, SIDE * FINE))
    radius = random.uniform(7, 11) * FINE
    centre = random.uniform(11, SIDE - 11, 2) * FINE
    _draw(ImageDraw.Draw(mask), name, centre, radius, random.uniform(-0.4, 0.4))
    mask = mask.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    shift = random.choice([-1, 1], 3) * random.uniform(20, 45, 3)
    lit = np.clip(np.asarray(background, np.float64) + shift, 0, 255).astype(np.uint8)
    return Image.composite(Image.fromarray(lit), background, mask)


def _background(random: np.random.Generator) -> Image.Image:
    """Soft light of one colour, as out of focus."""
    colour = random.uniform(70, 185, 3) + random.normal(0, 12, (3, 3, 3))
    coarse = Image.fromarray(colour.clip(0, 255).astype(np.uint8))
    return coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def _draw(
    draw: ImageDraw.ImageDraw, name: str, centre: np.ndarray, radius: float, angle: float
) -> None:
    def turned(*corners: tuple[float, float]) -> Points:
        """Corners given in radii, turned and moved to their place."""
        c, s = math.cos(angle), math.sin(angle)
        return [
            (centre[0] + radius * (c * x - s * y), centre[1] + radius * (s * x + c * y))
            for x, y in corners
        ]

    def bar(left: float, top: float, right: float, bottom: float) -> None:
        draw.polygon(turned((left, top), (right, top), (right, bottom), (left, bottom)), fill=255)

    if name == "disc":
        draw.ellipse((*(centre - radius), *(centre + radius)), fill=255)
    elif name == "triangle":
        thirds = [2 * math.pi * i / 3 for i in range(3)]
        draw.polygon(turned(*((1.1 * math.cos(t), 1.1 * math.sin(t)) for t in thirds)), fill=255)
    else:
        bar(-1, -0.25, 1, 0.25)
        if name == "cross":
            bar(-0.25, -1, 0.25, 1)
        else:
            bar(-1, 0.6, 1, 1)
            bar(-1, -1, 1, -0.6)
