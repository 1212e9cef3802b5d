"""``photoward bench latency``: the time of one image after the other, by stage."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import track
from rich.table import Table

from photoward.api.cli.bench.output import Out, console, stages, write
from photoward.api.cli.bench.service import (
    Url,
    photos_to_send,
    require_done,
    require_service_extras,
    service_at,
)
from photoward.api.cli.client import Client

if TYPE_CHECKING:
    from collections.abc import Sequence


def latency(
    runs: Annotated[int, typer.Option(min=1, help="Measured requests.")] = 10,
    *,
    photo: Annotated[
        Path | None, typer.Option(help="JPEG to send.", show_default="a synthetic one")
    ] = None,
    url: Url = None,
    out: Out = None,
) -> None:
    """Measure the time of a 12-megapixel JPEG through the REST API, and of each stage."""
    require_service_extras()
    files = photos_to_send(photo, runs + 1)
    items: list[dict[str, Any]] = []
    walls: list[float] = []
    with service_at(url) as there, Client(there) as client:
        for number, data in enumerate(track(files, "latency", console=console)):
            began = time.perf_counter()
            item = client.submit(data, "image/jpeg", wait_s=60, label="bench")
            wall = time.perf_counter() - began
            require_done(item)
            if number:  # the first one warms up
                items.append(item)
                walls.append(wall)
    shares = _shares(items, walls)
    table = Table("stage", "median s", "share", title=f"12 MP JPEG, {runs} runs")
    for stage, seconds in shares.items():
        table.add_row(stage, f"{seconds:.3f}", f"{seconds / sum(shares.values()):.0%}")
    total = statistics.median(walls)
    table.add_row("whole request", f"{total:.3f}", f"(min {min(walls):.3f}, max {max(walls):.3f})")
    console.print(table)
    write(out, {"median_s": total, "runs_s": walls, "stages_median_s": shares})


def _shares(items: Sequence[dict[str, Any]], walls: Sequence[float]) -> dict[str, float]:
    """Median seconds of decode, noise, encode, and of everything else in a request."""
    seconds = [item["measured"]["seconds"] for item in items]
    rest = [wall - sum(own.values()) for wall, own in zip(walls, seconds, strict=True)]
    return {**stages(seconds), "everything else": statistics.median(rest)}
