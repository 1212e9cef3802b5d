"""``photoward demo``: sample photos through the whole service, shown before and after."""

from __future__ import annotations

import io
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from PIL import Image, ImageDraw
from rich.console import Console
from rich.progress import track
from rich.table import Table

from photoward.api.cli import sample_images
from photoward.api.cli.client import Client
from photoward.api.cli.extras import require_extra
from photoward.api.cli.service.embedded import running_service
from photoward.core.catalogue import DEFAULT_PRESET, PRESETS

if TYPE_CHECKING:
    from photoward.api.cli.sample_images import Sample

PANEL = 420
"""Longest side of an image on a contact sheet, in pixels."""

ENLARGED = 10
"""How many times the difference is enlarged."""

SUFFIX = {"image/jpeg": ".jpg", "image/png": ".png"}


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the images.")] = Path("demo-out"),
    preset: Annotated[str, typer.Option(help=f"Strength: {', '.join(PRESETS)}.")] = DEFAULT_PRESET,
) -> None:
    """Start a service, protect a dozen sample photos through its REST API, show the change.

    Writes each photo before and after, and a sheet with the difference times 10.
    """
    for extra in ("api", "worker"):
        require_extra(extra)
    out.mkdir(parents=True, exist_ok=True)
    console = Console()
    with tempfile.TemporaryDirectory(prefix="photoward-demo-") as folder:
        console.print("Starting queue, worker and API …")
        with running_service(Path(folder)) as url, Client(url) as client:
            pictures = track(sample_images.demonstration(), "Protecting", console=console)
            rows = [_protect(client, sample, preset, out) for sample in pictures]
    console.print(_table(rows, preset))
    console.print(f"Pictures: {out.resolve()} (NAME-sheet.png shows before, after, difference)")
    console.print("To keep a server running: make up, then open the address it prints.")


def _protect(client: Client, sample: Sample, preset: str, out: Path) -> dict[str, Any]:
    began = time.monotonic()
    item = client.submit(
        sample.data, sample.media_type, wait_s=60, label=sample.label, preset=preset
    )
    item = client.ended(item["id"])
    if item["state"] != "succeeded":
        raise RuntimeError(f"{sample.name}: {item}")
    seconds = time.monotonic() - began
    data = client.content(item["id"])
    client.delete(item["id"])
    suffix = SUFFIX[sample.media_type]
    (out / f"{sample.name}-before{suffix}").write_bytes(sample.data)
    (out / f"{sample.name}-after{suffix}").write_bytes(data)
    sheet = contact_sheet(sample.data, data)
    sheet.save(out / f"{sample.name}-sheet.png")
    with Image.open(io.BytesIO(data)) as image:
        size = f"{image.width}×{image.height}"
    return {
        **item["measured"],
        "name": sample.name,
        "size": size,
        "seconds": seconds,
        "label": item["label_used"],
        "predicted": item["label_source"] == "predicted",
    }


def contact_sheet(before: bytes, after: bytes) -> Image.Image:
    """Before, after, and their difference × 10 about mid grey, side by side."""
    panels = [_rgb(before), _rgb(after)]
    steps = np.asarray(panels[1], np.int16) - np.asarray(panels[0], np.int16)
    enlarged = np.clip(steps * ENLARGED + 128, 0, 255).astype(np.uint8)
    panels.append(Image.fromarray(enlarged))
    scale = PANEL / max(panels[0].size)
    shown = (max(round(panels[0].width * scale), 1), max(round(panels[0].height * scale), 1))
    filter_ = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.NEAREST
    sheet = Image.new("RGB", (3 * shown[0] + 40, shown[1] + 40), "white")
    draw = ImageDraw.Draw(sheet)
    titles = ("before", "after", f"difference x {ENLARGED}")
    for number, (title, panel) in enumerate(zip(titles, panels, strict=True)):
        left = 10 + number * (shown[0] + 10)
        draw.text((left, 10), title, fill="black")
        sheet.paste(panel.resize(shown, filter_), (left, 30))
    return sheet


def _rgb(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as image:
        shown = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown).convert("RGB")


def _table(rows: list[dict[str, Any]], preset: str) -> Table:
    table = Table(
        "picture", "pixels", "label", "seconds", "PSNR dB", "SSIM", "L∞", title=f"preset {preset}"
    )
    for row in rows:
        label = f"{row['label']} (predicted)" if row["predicted"] else row["label"]
        table.add_row(
            row["name"],
            row["size"],
            label,
            f"{row['seconds']:.2f}",
            f"{row['psnr_db']:.1f}",
            f"{row['ssim']:.3f}",
            str(row["linf"]),
        )
    return table
