"""A page of whole photos before and after protection, and their difference, in one HTML file."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from photoward.api.cli.bench.fidelity import opened
from photoward.core.imaging.metrics.visibility import SIDE, fitted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

GAIN = 10
"""Factor of the difference, around middle grey."""

STYLE = """
body { font: 16px/1.5 system-ui; margin: 1.5rem; background: #777; color: #fff }
p { max-width: 60rem }
.row { display: flex; gap: 8px; overflow-x: auto }
figure { margin: 0; flex: none }
figcaption { font-size: 14px }
.flip { position: relative }
.flip img + img { position: absolute; left: 0; top: 0; opacity: 0 }
.flip:hover img + img, .flip:focus img + img { opacity: 1 }
"""

INTRODUCTION = f"""
<h1>Before and after</h1>
<p>Whole photos, at most {SIDE} pixels a side, as a screen shows them. Point at the first picture of
a row to see the protected one in its place; that one stands beside it, and last their difference,
{GAIN} times enlarged, at half the size. <em>Visibility</em> 1 is the edge of seeing a change side
by side.</p>
"""


def page(photos: Sequence[tuple[str, dict[str, bytes]]], rows: Sequence[dict[str, Any]]) -> str:
    """The page.

    Args:
        photos: name, and file by version; the first version is the original.
        rows: what was measured, by ``photo`` and ``strength``.
    """
    seen = {(row["photo"], row["strength"]): row for row in rows}
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>Before and after</title>",
        f"<style>{STYLE}</style>",
        INTRODUCTION,
    ]
    for name, versions in photos:
        before, *others = versions
        original = fitted(opened(versions[before]))
        for version in others:
            figures = _told(seen[name, version])
            parts.append(f"<h2>{html.escape(name)}</h2><p>{html.escape(version)}: {figures}</p>")
            parts += _row(original, fitted(opened(versions[version])))
    return "\n".join(parts)


def write(
    photos: Sequence[tuple[str, dict[str, bytes]]], rows: Sequence[dict[str, Any]], out: Path
) -> None:
    """The page as a file."""
    out.write_text(page(photos, rows), encoding="utf-8")


def _told(row: dict[str, Any]) -> str:
    seen = row["seen"]
    low = seen["low_chroma"]
    chroma = "no colour" if low is None else f"{low:.0%} of the colour's change in clouds"
    return (
        f"visibility {row['visibility']:.1f} (FLIP {seen['flip']:.3f}, ΔE of what is flat "
        f"{seen['flat_delta_e']:.1f}, {chroma}; in the worst place FLIP "
        f"{seen['worst']['flip']:.3f}, ΔE {seen['worst']['delta_e']:.1f})"
    )


def _row(before: Image.Image, after: Image.Image) -> Iterator[str]:
    first, second = _element(before, "before"), _element(after, "after")
    change = np.asarray(after, np.int16) - np.asarray(before)
    grown = Image.fromarray(np.clip(128 + GAIN * change, 0, 255).astype(np.uint8))
    half = grown.resize([max(1, side // 2) for side in grown.size], Image.Resampling.BOX)
    yield f'<div class="row"><figure class="flip" tabindex="0">{first}{second}'
    yield "<figcaption>before; point here: after</figcaption></figure>"
    for element, caption in (
        (second, "after"),
        (_element(half, "difference", 85), f"difference × {GAIN}"),
    ):
        yield f"<figure>{element}<figcaption>{caption}</figcaption></figure>"
    yield "</div>"


def _element(image: Image.Image, what: str, quality: int = 93) -> str:
    file = io.BytesIO()
    image.save(file, "WEBP", quality=quality, method=4)
    data = base64.b64encode(file.getvalue()).decode()
    size = f'width="{image.width}" height="{image.height}"'
    return f'<img src="data:image/webp;base64,{data}" alt="{what}" {size}>'
