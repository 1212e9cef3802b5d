"""``photoward bench engine``: the noise loop beside the published one, and the peak."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.progress import track
from rich.table import Table

from photoward.api.cli import sample_images
from photoward.api.cli.bench.output import Out, console, write
from photoward.api.cli.configuration import settings_from
from photoward.api.cli.extras import require_extra
from photoward.core import key_derivation
from photoward.core.catalogue import read_cards

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

    from photoward.models.surrogates.surrogate import Surrogate

PUBLISHED_WIDTH = 64
GIGA = 1e9


@dataclass(frozen=True)
class NoiseLoop:
    """One noise loop to measure."""

    name: str
    passes: int
    flops: float
    """Floating-point operations of one pass of one image."""
    dtype: torch.dtype
    timed_passes: int
    """How many of its passes ``work`` does for each image."""
    work: Callable[[], Any]


def engine(
    runs: Annotated[
        int, typer.Option(min=1, help="Repetitions, of which medians are printed.")
    ] = 3,
    pictures: Annotated[int, typer.Option(min=1, help="Images in a batch.")] = 128,
    out: Out = None,
) -> None:
    """Measure the noise loop beside the published one, and its share of the machine's peak."""
    require_extra("worker")
    import torch

    from photoward.models.surrogates.cache import SurrogateCache, pick_device

    settings = settings_from()
    device = pick_device(settings.engine_device)
    cache = SurrogateCache(
        read_cards(settings.engine_surrogate_dirs), device, settings.engine_cache_bytes >> 20
    )
    surrogate = cache.get(settings.engine_surrogate)
    shown = sample_images.small_pictures(pictures, 3)
    widths = dict.fromkeys((PUBLISHED_WIDTH, surrogate.card.width))
    parts = [*(_published(surrogate, shown, width) for width in widths), _ours(surrogate, shown)]
    walls, peaks = _timed(parts, runs, device)
    rows = [
        _row(part, statistics.median(walls[part.name]) / pictures, peaks[part.dtype])
        for part in parts
    ]
    for row in rows:
        row["ours_is_faster_by"] = rows[-1]["pictures_per_s"] / row["pictures_per_s"]
    result = {
        "device": str(device),
        "threads": torch.get_num_threads(),
        "runs": runs,
        "pictures": pictures,
        "surrogate": surrogate.card.name,
        "peak_gflop_per_s": {_short(dtype): peak / GIGA for dtype, peak in peaks.items()},
        "loops": rows,
    }
    _show(result)
    write(out, result)


def _timed(
    parts: Sequence[NoiseLoop], runs: int, device: torch.device
) -> tuple[dict[str, list[float]], dict[torch.dtype, float]]:
    """Seconds of each part's work, and the peak of each precision, taken in turn.

    A spell in which the machine is busy with something else meets all of them alike.
    """
    from photoward.models.evaluation.metrics import throughput

    walls: dict[str, list[float]] = {part.name: [] for part in parts}
    peaks: dict[torch.dtype, list[float]] = {part.dtype: [] for part in parts}
    for part in parts:
        part.work()  # warms up
    for _ in track(range(runs), "engine", console=console):
        for part in parts:
            walls[part.name].append(throughput.seconds(part.work, device))
        for dtype, found in peaks.items():
            found.append(throughput.multiply_peak(device, dtype))
    return walls, {dtype: statistics.median(found) for dtype, found in peaks.items()}


def _published(surrogate: Surrogate, shown: np.ndarray[Any, Any], width: int) -> NoiseLoop:
    """One pass of the published loop is timed: the other 49 are the same work."""
    import torch

    from photoward.models.evaluation.metrics.reference_loop import ReferenceLoop
    from photoward.models.evaluation.metrics.throughput import pass_flops
    from photoward.models.pixels import from_bytes
    from photoward.models.surrogates.architectures import build

    card, device = surrogate.card, surrogate.device
    classes = sum(card.alphabets)
    network = build(card.architecture, classes, width)
    network.eval().requires_grad_(requires_grad=False).to(device)
    x = from_bytes(shown, device)
    labels = torch.arange(len(x), device=device) % classes
    loop = ReferenceLoop(network, x, labels, torch.Generator().manual_seed(0))
    return NoiseLoop(
        f"published, width {width}",
        loop.passes,
        pass_flops(network, card.size, device, torch.float32),
        torch.float32,
        1,
        lambda: loop.gradient(torch.zeros_like(x)),
    )


def _ours(surrogate: Surrogate, shown: np.ndarray[Any, Any]) -> NoiseLoop:
    """The method that ships, from 8-bit samples to 8-bit noise."""
    from photoward.models.evaluation.metrics.throughput import pass_flops
    from photoward.models.methods.base import Brief
    from photoward.models.methods.descent import Descent
    from photoward.models.methods.registry import METHODS

    method, card = Descent(METHODS["sem"], surrogate), surrogate.card
    random = np.random.default_rng(0)
    direction = key_derivation.prototype(bytes(32), "bench", card.feature_dim)
    briefs = [
        Brief(
            epsilon=8,
            aspect=1,
            direction=direction,
            stream=random.integers(0, 256, method.stream_bytes(shown.shape[1]), dtype=np.uint8),
        )
        for _ in shown
    ]
    passes = method.schedule.steps * method.schedule.samples
    return NoiseLoop(
        f"ours, {method.spec.version}",
        passes,
        pass_flops(surrogate.network, card.size, surrogate.device, surrogate.dtype),
        surrogate.dtype,
        passes,
        lambda: method.perturb(shown, briefs),
    )


def _row(part: NoiseLoop, timed_s: float, peak: float) -> dict[str, Any]:
    """Figures of a loop whose timed passes took ``timed_s`` for each picture."""
    picture_s = timed_s * part.passes / part.timed_passes
    flops = part.passes * part.flops
    return {
        "loop": part.name,
        "passes": part.passes,
        "precision": _short(part.dtype),
        "gflop_per_picture": flops / GIGA,
        "pictures_per_s": 1 / picture_s,
        "gflop_per_s": flops / picture_s / GIGA,
        "share_of_peak": flops / picture_s / peak,
    }


def _show(result: dict[str, Any]) -> None:
    peaks = ", ".join(f"{v:.0f} in {k}" for k, v in result["peak_gflop_per_s"].items())
    table = Table(
        "noise loop",
        "passes",
        "GFLOP each",
        "pictures/s",
        "ratio",
        "GFLOP/s",
        "of peak",
        title=f"{result['pictures']} pictures, {result['device']}, {result['threads']} threads",
        caption=f"{result['surrogate']}; medians of {result['runs']}; the ratio is ours to the row."
        f" Peak: {peaks} GFLOP/s by matrix products. This compares work; what the noise is worth, "
        "`photoward evaluate` says.",
    )
    for row in result["loops"]:
        table.add_row(
            row["loop"],
            str(row["passes"]),
            f"{row['gflop_per_picture']:.2f}",
            f"{row['pictures_per_s']:.2f}",
            f"{row['ours_is_faster_by']:.1f}×",
            f"{row['gflop_per_s']:.1f}",
            f"{row['share_of_peak']:.0%}",
        )
    console.print(table)


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
