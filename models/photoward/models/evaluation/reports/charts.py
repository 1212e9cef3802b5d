"""Line charts as inline SVG."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    Line = tuple[str, list[float], list[float]]
    """Name, solid line, dashed line; values from 0 to 1."""

WIDTH, HEIGHT = 320, 200
LEFT, TOP, RIGHT, BOTTOM = 40, 10, 10, 24
COLOURS = ("#4a90d9", "#d9643a", "#2e9d6b", "#a15bc2", "#c2a22e", "#6b7785")
"""Told apart on white and on black; the first is the control's."""


def curves(lines: Sequence[Line], title: str) -> str:
    """Shares over epochs, two lines a name, the names above."""
    legend = 16 * len(lines)
    parts = [
        f'<svg role="img" aria-label="{escape(title)}" width="{WIDTH}" height="{HEIGHT + legend}"',
        f' viewBox="0 {-legend} {WIDTH} {HEIGHT + legend}">',
    ]
    for share in (0.0, 0.5, 1.0):
        y = _y(share)
        parts.append(
            f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
            f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{share:.0%}</text>'
        )
    epochs = max(len(solid) for _, solid, _ in lines)
    parts.append(
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{epochs} epochs</text>'
    )
    for number, (name, solid, dashed) in enumerate(lines):
        colour = COLOURS[number % len(COLOURS)]
        parts.append(
            f'<text x="{LEFT + 18}" y="{16 * number - legend + 12}">{escape(name)}</text>'
            f'<rect x="{LEFT}" y="{16 * number - legend + 4}" width="12" height="8" '
            f'fill="{colour}"/>{_path(solid, colour)}{_path(dashed, colour, "4 4")}'
        )
    return "".join([*parts, "</svg>"])


def frontier(lines: Sequence[tuple[str, Sequence[tuple[float, float]]]], title: str) -> str:
    """A file of its own: shares (0 to 1) against what is seen, a line of points for each name."""
    most = 1.05 * max(x for _, points in lines for x, _ in points)
    top = 16 * len(lines)

    def across(seen: float) -> float:
        return round(LEFT + seen / most * (WIDTH - LEFT - RIGHT), 1)

    style = "text{font:9px sans-serif;fill:#6b7785}.axis{stroke:#a8b2bb;stroke-width:.5}"
    grid = [
        f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{_y(share)}" y2="{_y(share)}"/>'
        f'<text x="{LEFT - 6}" y="{_y(share) + 3}" text-anchor="end">{share:.0%}</text>'
        for share in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    scale = [
        f'<text x="{across(seen)}" y="{HEIGHT - 12}" text-anchor="middle">{seen}</text>'
        for seen in range(int(most) + 1)
    ]
    drawn = []
    for number, (name, points) in enumerate(lines):
        colour, y = COLOURS[number % len(COLOURS)], 16 * number - top
        places = [(across(seen), _y(share)) for seen, share in points]
        way = " ".join(f"{x},{height}" for x, height in places)
        drawn.append(
            f'<rect x="{LEFT}" y="{y + 4}" width="12" height="8" fill="{colour}"/>'
            f'<text x="{LEFT + 18}" y="{y + 12}">{escape(name)}</text>'
            f'<polyline points="{way}" fill="none" stroke="{colour}"/>'
        )
        drawn += [f'<circle cx="{x}" cy="{h}" r="3" fill="{colour}"/>' for x, h in places]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(title)}" '
        f'width="{2 * WIDTH}" height="{2 * (HEIGHT + top)}" viewBox="0 {-top} {WIDTH} '
        f'{HEIGHT + top}"><style>{style}</style>'
    )
    foot = (
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 2}" text-anchor="end">visibility (1: just seen)'
        "</text></svg>\n"
    )
    return "".join([head, *grid, *scale, *drawn, foot])


def _path(values: Sequence[float], colour: str, dashes: str = "none") -> str:
    across = (WIDTH - LEFT - RIGHT) / max(len(values) - 1, 1)
    points = " ".join(f"{LEFT + i * across:.1f},{_y(value)}" for i, value in enumerate(values))
    if len(values) == 1:
        points += f" {WIDTH - RIGHT},{_y(values[0])}"
    return (
        f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2" '
        f'stroke-dasharray="{dashes}"/>'
    )


def _y(share: float) -> float:
    return round(TOP + (1 - share) * (HEIGHT - TOP - BOTTOM), 1)
