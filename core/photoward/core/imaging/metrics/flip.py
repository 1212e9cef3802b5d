"""FLIP: how much a person sees who flips between two pictures (Andersson et al., HPG 2020).

The published error map for pictures on a screen, at 33.5 pixels a degree: half of the paper's 67,
for pictures that have been halved. Frequencies between 17 and 34 cycles a degree, which the eye
hardly resolves, are left out for a quarter of the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from photoward.core.imaging.metrics import cielab

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Plane = NDArray[np.float32]

PER_DEGREE = 67 / 2
"""Pixels: those of a picture halved for a 4K monitor of 70 cm, seen from 70 cm."""

HALVED = 1 / 16
"""Variance, in pixels, of the blur that the mean of 2 x 2 pixels is already."""

OPPONENT = np.array([[0, 1, 0], [1, -1, 0], [0, 1, -1]], np.float32)
"""X, Y, Z to luminance, red-green, blue-yellow."""

BLURS = (((1.0, 0.0047),), ((1.0, 0.0053),), ((34.1, 0.04), (13.5, 0.025)))
"""The eye's contrast sensitivity in each: amplitudes and widths of Gaussians (section 4.1.1)."""

EDGE = 0.082
"""Degrees between peak and trough of the feature detectors."""


def error(before: Plane, after: Plane) -> Plane:
    """The error map, ``[H, W]`` from 0 (equal) to 1.

    Args:
        before: ``[3, H, W]`` shares of white's X, Y, Z; means of 2 x 2 pixels of a screen.
        after: the same of the other picture.
    """
    shape = before.shape[1:]
    both = np.stack([before, after], axis=1).reshape(3, -1)
    planes = (OPPONENT @ both).reshape(3, 2, *shape)
    features = _features(planes[0])
    seen = np.stack([_seen(plane, blurs) for plane, blurs in zip(planes, BLURS, strict=True)])
    colours = _colour_error(_hunt(_within(seen.reshape(3, -1))).reshape(3, 2, *shape))
    found: Plane = colours ** (1 - features)
    return found


def _seen(plane: Plane, blurs: Sequence[tuple[float, float]]) -> Plane:
    """What the eye's optics leave of ``[2, H, W]``."""
    weights = [amplitude * np.sqrt(width) for amplitude, width in blurs]
    total = np.zeros_like(plane)
    for weight, (_, width) in zip(weights, blurs, strict=True):
        deviation = np.sqrt(width / (2 * np.pi**2) * PER_DEGREE**2 - HALVED)
        total += np.float32(weight / sum(weights)) * blurred(plane, deviation)
    return total


def blurred(planes: Plane, deviation: float) -> Plane:
    """``[…, H, W]`` after a Gaussian blur; edges go on as they end."""
    kernel = _gaussian(deviation)
    kernel /= kernel.sum()
    return _along(_along(planes, kernel, -1), kernel, -2)


def _gaussian(deviation: float) -> NDArray[np.float64]:
    reach = max(1, int(np.ceil(3 * deviation)))
    at = np.arange(-reach, reach + 1)
    kernel: NDArray[np.float64] = np.exp(-(at**2) / (2 * deviation**2))
    return kernel


def _along(planes: Plane, kernel: NDArray[np.float64], axis: int) -> Plane:
    """Correlation along the last axis or the one before.

    The kernel mirrors itself, or itself negated, so that each factor serves both ends.
    """
    reach, length = len(kernel) // 2, planes.shape[axis]
    first, last = (planes.take([end], axis) for end in (0, -1))
    padded = np.concatenate([first] * reach + [planes] + [last] * reach, axis)
    mirror = np.subtract if kernel[0] * kernel[-1] < 0 else np.add
    total, part = planes * np.float32(kernel[reach]), np.empty_like(planes)
    for offset in range(reach):
        after, before = (
            padded[..., start : start + length]
            if axis == -1
            else padded[..., start : start + length, :]
            for start in (2 * reach - offset, offset)
        )
        mirror(after, before, out=part)
        part *= np.float32(kernel[-1 - offset])
        total += part
    return total


def _within(opponent: Plane) -> Plane:
    """Back to X, Y, Z, of colours that a screen can show."""
    light = np.linalg.inv(OPPONENT @ cielab.TO_XYZ).astype(np.float32) @ opponent
    shown: Plane = cielab.TO_XYZ @ np.clip(light, 0, 1)
    return shown


def _hunt(xyz: Plane) -> Plane:
    """L*a*b*, colours of the dark less colourful."""
    found = cielab.lab(xyz)
    found[1:] *= np.float32(0.01) * found[0]
    return found


def _distance(one: Plane, other: Plane) -> Plane:
    """HyAB to the power of 0.7."""
    change = one - other
    apart = np.abs(change[0]) + np.sqrt(change[1] ** 2 + change[2] ** 2)
    power: Plane = apart ** np.float32(0.7)
    return power


_GREEN, _BLUE = (_hunt(cielab.TO_XYZ[:, [channel]]) for channel in (1, 2))
_WIDEST = float(_distance(_GREEN, _BLUE)[0])
_KNEE, _AT_KNEE = 0.4 * _WIDEST, 0.95


def _colour_error(both: Plane) -> Plane:
    """``[3, 2, H, W]`` to 0 … 1: small differences get most of the range."""
    apart = _distance(both[:, 0], both[:, 1])
    above = _AT_KNEE + (apart - _KNEE) / (_WIDEST - _KNEE) * (1 - _AT_KNEE)
    return np.where(apart < _KNEE, apart * (_AT_KNEE / _KNEE), above).astype(np.float32)


def _features(luminance: Plane) -> Plane:
    """How edges or points of ``[2, H, W]`` differ, 0 to 1."""
    kernel = _gaussian(EDGE / 2 * PER_DEGREE)
    at = np.arange(len(kernel)) - len(kernel) // 2
    deviation = EDGE / 2 * PER_DEGREE
    edge, point = _balanced(at * kernel), _balanced((at**2 / deviation**2 - 1) * kernel)
    flat = kernel / kernel.sum()
    across, down = _along(luminance, flat, -2), _along(luminance, flat, -1)
    changes = []
    for detector in (edge, point):
        x, y = _along(across, detector, -1), _along(down, detector, -2)
        strength = np.sqrt(x * x + y * y)
        changes.append(np.abs(strength[0] - strength[1]))
    root: Plane = np.sqrt(np.maximum(*changes) * np.float32(1 / np.sqrt(2)))
    return root


def _balanced(kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """What is above zero adds up to 1, what is below to -1."""
    above, below = kernel.clip(min=0), kernel.clip(max=0)
    balanced: NDArray[np.float64] = above / above.sum() - below / below.sum()
    return balanced
