"""Colours as the eye compares them: linear light, CIE L*a*b* of sRGB, CIEDE2000.

Knows nothing of colour profiles: samples are taken for sRGB, which is near enough for differences.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Plane = NDArray[np.float32]

XYZ = np.array(
    [
        [10135552 / 24577794, 8788810 / 24577794, 4435075 / 24577794],
        [2613072 / 12288897, 8788810 / 12288897, 887015 / 12288897],
        [1425312 / 73733382, 8788810 / 73733382, 70074185 / 73733382],
    ]
)
"""Linear sRGB to CIE XYZ."""

TO_XYZ = (XYZ / XYZ.sum(axis=1, keepdims=True)).astype(np.float32)
"""Linear sRGB to XYZ as shares of white (D65): white is 1, 1, 1."""

LAB = np.array([[0, 116, 0], [500, -500, 0], [0, 200, -200]], np.float32)
"""Cube roots of X, Y, Z to L* + 16, a*, b*."""

_FINE = (1 << 16) - 1


def _root(shares: NDArray[np.float64]) -> Plane:
    """CIE's cube root, straight near black."""
    knee = 6 / 29
    return np.where(shares > knee**3, np.cbrt(shares), shares / (3 * knee**2) + 4 / 29).astype(
        np.float32
    )


_ROOTS = _root(np.arange(_FINE + 1) / _FINE)
"""A table is three times as fast as powers, and wrong by 0.02 in L* where it is worst."""


def linear(shares: NDArray[np.float64]) -> Plane:
    """Light of sRGB samples, both 0 to 1 (IEC 61966-2-1)."""
    curve = ((shares + 0.055) / 1.055) ** 2.4
    return np.where(shares > 0.04045, curve, shares / 12.92).astype(np.float32)  # noqa: PLR2004


def lab(xyz: Plane) -> Plane:
    """``[3, …]`` shares of white's X, Y, Z (0 to 1) to L*, a*, b*."""
    steps = (np.clip(xyz, 0, 1) * np.float32(_FINE) + np.float32(0.5)).astype(np.uint16)
    found: Plane = LAB @ _ROOTS[steps.reshape(3, -1)]
    found[0] -= 16
    return found.reshape(xyz.shape)


def delta_e(one: NDArray[Any], other: NDArray[Any]) -> Plane:
    """CIEDE2000 of two ``[3, N]`` in L*a*b* (Sharma, Wu, Dalal, 2005), ``[N]``."""
    (light, a, b), (other_light, other_a, other_b) = one, other
    mean = (np.hypot(a, b) + np.hypot(other_a, other_b)) / 2
    stretch = 1 + (1 - _saturation(mean)) / 2
    chroma, hue = _polar(a * stretch, b)
    other_chroma, other_hue = _polar(other_a * stretch, other_b)
    turn = other_hue - hue
    turn -= 2 * np.pi * np.rint(turn / (2 * np.pi))
    turn = np.where((chroma == 0) | (other_chroma == 0), 0, turn)
    by_hue = 2 * np.sqrt(chroma * other_chroma) * np.sin(turn / 2)
    chroma_mean, hue_mean = (chroma + other_chroma) / 2, hue + turn / 2
    middle = ((light + other_light) / 2 - 50) ** 2
    l_part = (other_light - light) / (1 + 0.015 * middle / np.sqrt(20 + middle))
    c_part = (other_chroma - chroma) / (1 + 0.045 * chroma_mean)
    h_part = by_hue / (1 + 0.015 * chroma_mean * _by_hue(hue_mean))
    blue = (np.rad2deg(hue_mean) % 360 - 275) / 25
    twist = -np.sin(np.pi / 3 * np.exp(-(blue**2))) * 2 * _saturation(chroma_mean)
    squares = l_part**2 + c_part**2 + h_part**2 + twist * c_part * h_part
    found: Plane = np.sqrt(np.maximum(squares, 0)).astype(np.float32)
    return found


def _polar(a: NDArray[Any], b: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    return np.hypot(a, b), np.arctan2(b, a)


def _saturation(chroma: NDArray[Any]) -> NDArray[Any]:
    seventh = chroma**7
    share: NDArray[Any] = np.sqrt(seventh / (seventh + np.float32(25**7)))
    return share


def _by_hue(hue: NDArray[Any]) -> NDArray[Any]:
    """The formula's T."""
    weight: NDArray[Any] = (
        1
        - 0.17 * np.cos(hue - np.pi / 6)
        + 0.24 * np.cos(2 * hue)
        + 0.32 * np.cos(3 * hue + np.pi / 30)
        - 0.20 * np.cos(4 * hue - np.deg2rad(63))
    )
    return weight
