"""``photoward bench photo``: how faithful the files are, what survives in them, what it costs."""

from __future__ import annotations

import statistics
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import track
from rich.table import Table

from photoward.api.cli import samples
from photoward.api.cli.bench.record import Out, console, stages, write
from photoward.api.cli.environment import require_extra, settings_from
from photoward.api.cli.protect import SUFFIXES
from photoward.core.catalogue import FORMATS, Catalogue
from photoward.core.errors import BadInput
from photoward.core.imaging.sniff import Limits, sniff

if TYPE_CHECKING:
    from collections.abc import Sequence

    from photoward.core.settings import Settings

    Row = dict[str, Any]

STRENGTHS = (
    ("subtle", "even"), ("standard", "even"), ("strong", "even"), ("strong", "perceptual")
)  # fmt: skip
"""Preset and shaping."""


def photo(
    source: Annotated[
        Path | None, typer.Argument(help="A folder of photos; without it our own samples.")
    ] = None,
    out: Out = None,
) -> None:
    """Each photo in each strength and format: PSNR, SSIM, survival, and the share of each stage."""
    require_extra("worker")
    photos = _photos(source)
    rows = _measure(settings_from(), photos)
    found = summary(rows)
    table = Table(
        "strength, format", "PSNR dB", "SSIM", "survival", "s", "% of it",
        caption=f"{len(photos)} photos, medians; in brackets the least. Survival in the file → "
        "shrunk to 1080 px and saved as JPEG 75. Shares: decode, noise, encode, verify.",
    )  # fmt: skip
    for row in found:
        table.add_row(
            f"{row['strength']}, {row['format']}",
            f"{row['psnr_db']:.1f} ({row['least_psnr_db']:.1f})",
            f"{row['ssim']:.3f} ({row['least_ssim']:.3f})",
            f"{row['survival']:.2f} → {row['survival_hosted']:.2f}", f"{row['seconds']:.2f}",
            " ".join(f"{100 * share:.0f}" for share in row["shares"].values()),
        )  # fmt: skip
    console.print(table)
    write(out, {"summary": found, "rows": rows})


def _photos(source: Path | None) -> list[tuple[str, bytes]]:
    if source is None:
        return [(one.name, one.data) for one in samples.demonstration()]
    if not source.is_dir():
        raise BadInput("invalid_option", f"{source} is not a folder.")
    found = sorted(path for path in source.iterdir() if path.suffix.lower() in SUFFIXES)
    if not found:
        raise BadInput("invalid_option", f"There is no picture in {source}.")
    return [(path.name, path.read_bytes()) for path in found]


def _measure(settings: Settings, photos: Sequence[tuple[str, bytes]]) -> list[Row]:
    """One row for each photo, strength and format that can hold it."""
    from photoward.worker.lifecycle import open_pipeline  # noqa: PLC0415  # heavy
    from photoward.worker.pipeline import Job, Refused  # noqa: PLC0415  # heavy

    catalogue = Catalogue.of(settings)
    limits = Limits(settings.max_megapixels, settings.max_side)
    pipeline, pool = open_pipeline(settings)
    rows: list[Row] = []
    with pool:
        pipeline.warm_up(settings.surrogate)
        wanted = list(product(photos, STRENGTHS, FORMATS))
        for (name, data), (preset, shaping), output in track(wanted, "photos", console=console):
            header = sniff(data, limits, complete=True)
            if header is None:
                continue
            size = header.width, header.height
            options, _ = catalogue.placed(
                catalogue.options(
                    label="bench", preset=preset, shaping=shaping, output_format=output
                ),
                *size,
            )
            (outcome,) = pipeline.protect([Job(name, data, options, bytes(32), *size)])
            if isinstance(outcome, Refused):
                if outcome.error.code != "unsupported_output":
                    raise outcome.error
                continue
            strength = preset if shaping == "even" else f"{preset}, {shaping}"
            rows.append({
                "photo": name, "megapixels": round(size[0] * size[1] / 1e6, 2),
                "strength": strength, "format": output, "bytes": len(outcome.data),
                **outcome.measured,
            })  # fmt: skip
    pipeline.close()
    return rows


def summary(rows: Sequence[Row]) -> list[Row]:
    """Medians over the photos by strength and format, and the least PSNR and SSIM."""
    found = []
    for strength, output in dict.fromkeys((row["strength"], row["format"]) for row in rows):
        own = [row for row in rows if (row["strength"], row["format"]) == (strength, output)]

        def figures(name: str, own: Sequence[Row] = own) -> list[float]:
            return [row[name] for row in own if row[name] is not None]

        spent = stages([row["seconds"] for row in own])
        whole = sum(spent.values())
        medians = {
            name: round(statistics.median(figures(name)), 4)
            for name in ("psnr_db", "ssim", "survival", "survival_hosted")
        }
        found.append({
            "strength": strength, "format": output, "photos": len(own), **medians,
            "least_psnr_db": min(figures("psnr_db")), "least_ssim": min(figures("ssim")),
            "seconds": round(whole, 3),
            "shares": {stage: round(seconds / whole, 3) for stage, seconds in spent.items()},
        })  # fmt: skip
    return found
