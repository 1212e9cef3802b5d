"""``photoward bench photo``: how faithful the files are, what survives in them, what it costs."""

from __future__ import annotations

import statistics
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import track
from rich.table import Column, Table

from photoward.api.cli import samples
from photoward.api.cli.bench import likeness, target
from photoward.api.cli.bench.record import Out, console, stages, write
from photoward.api.cli.environment import require_extra, settings_from
from photoward.api.cli.names import is_picture
from photoward.core import keys
from photoward.core.catalogue import FORMATS, Catalogue, read_cards
from photoward.core.errors import BadInput
from photoward.core.imaging.sniff import Limits, sniff

if TYPE_CHECKING:
    from collections.abc import Sequence

    from photoward.core.settings import Settings

    Row = dict[str, Any]
    Crops = list[tuple[str, dict[str, bytes]]]

STRENGTHS = (
    ("subtle", "even"), ("standard", "even"), ("strong", "even"), ("strong", "perceptual")
)  # fmt: skip
"""Preset and shaping."""

LIKENESS = {"ms_ssim": 3, "flip": 3, "flat_delta_e_p95": 1}
"""Figures of ``likeness.compare`` → digits that are shown."""

JPEG = b"\xff\xd8"
CODEC_STEPS = ("decode", "encode", "verify")


def photo(
    source: Annotated[
        Path | None, typer.Argument(help="A folder of photos; without it our own samples.")
    ] = None,
    page: Annotated[
        Path | None, typer.Option(help="Where to write a page of crops to compare (HTML).")
    ] = None,
    out: Out = None,
) -> None:
    """Each photo in each strength and format: likeness, survival, and the share of each stage."""
    require_extra("worker")
    require_extra("likeness")
    photos = _photos(source)
    rows, crops = _measure(settings_from(), photos)
    found = summary(rows)
    for table in _tables(found, len(photos)):
        console.print(table)
    if page is not None:
        likeness.page(crops, page)
    write(out, {"summary": found, "rows": rows})


def _tables(found: Sequence[Row], photos: int) -> tuple[Table, Table]:
    """What the files show, and what they took."""
    shows = Table(
        Column("strength, format", no_wrap=True),
        "PSNR dB", "SSIM", "MS-SSIM", "FLIP", "ΔE", "survival",
        caption=f"{photos} photos, medians; in brackets the least. ΔE: CIEDE2000, 95th "
        "percentile where a photo is flat. Survival in the file → shrunk to 1080 px and saved as "
        "JPEG 75.",
    )  # fmt: skip
    takes = Table(
        "strength, format", "s", "% of it", "× codec",
        caption="Shares: decode, noise, encode, verify and measure. × codec: all but the noise, as "
        "a multiple of what libjpeg-turbo takes to decode and encode.",
    )  # fmt: skip
    for row in found:
        kind = f"{row['strength']}, {row['format']}"
        shows.add_row(
            kind, f"{row['psnr_db']:.1f} ({row['least_psnr_db']:.1f})",
            f"{row['ssim']:.3f} ({row['least_ssim']:.3f})",
            *(_told(row[name], digits) for name, digits in LIKENESS.items()),
            f"{row['survival']:.2f} → {row['survival_hosted']:.2f}",
        )  # fmt: skip
        shares = " ".join(f"{100 * share:.0f}" for share in row["shares"].values())
        takes.add_row(kind, f"{row['seconds']:.2f}", shares, _told(row["codec_ratio"], 1))
    return shows, takes


def _told(figure: float | None, digits: int) -> str:
    return "" if figure is None else f"{figure:.{digits}f}"


def _photos(source: Path | None) -> list[tuple[str, bytes]]:
    if source is None:
        return [(one.name, one.data) for one in samples.demonstration()]
    if not source.is_dir():
        raise BadInput("invalid_option", f"{source} is not a folder.")
    found = sorted(path for path in source.iterdir() if is_picture(path.name))
    if not found:
        raise BadInput("invalid_option", f"There is no picture in {source}.")
    return [(path.name, path.read_bytes()) for path in found]


def _measure(settings: Settings, photos: Sequence[tuple[str, bytes]]) -> tuple[list[Row], Crops]:
    """One row for each photo, strength and format that can hold it; and what to compare by eye."""
    from photoward.core.imaging.child import load_codecs  # noqa: PLC0415  # heavy
    from photoward.models.surrogates.cache import SurrogateCache  # noqa: PLC0415  # heavy
    from photoward.worker.lifecycle import open_pipeline  # noqa: PLC0415  # heavy
    from photoward.worker.pipeline import Job, Refused  # noqa: PLC0415  # heavy

    load_codecs()
    catalogue = Catalogue.of(settings)
    limits = Limits(settings.max_megapixels, settings.max_side)
    pipeline, pool = open_pipeline(settings)
    cache = SurrogateCache(read_cards(settings.surrogate_dirs), pipeline.device, 1 << 10)
    rows: list[Row] = []
    crops = {name: {"as it came": data} for name, data in photos}
    codec = {name: likeness.codec_s(data) for name, data in photos if data[:2] == JPEG}
    with pool:
        pipeline.warm_up(Catalogue.of(settings))
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
            row = {
                "photo": name, "megapixels": round(size[0] * size[1] / 1e6, 2),
                "strength": strength, "format": output, "bytes": len(outcome.data),
                **outcome.measured, **likeness.compare(data, outcome.data),
            }  # fmt: skip
            if output == "jpeg" and name in codec:
                own = outcome.measured["seconds"]
                row["codec_ratio"] = sum(own[step] for step in CODEC_STEPS) / codec[name]
            if output == "jpeg":
                crops[name][strength] = outcome.data
                surrogate = cache.get(options.surrogate)
                direction = keys.prototype(bytes(32), "bench", surrogate.card.feature_dim)
                row["target"] = target.said(data, outcome.data, surrogate, direction)
            rows.append(row)
    pipeline.close()
    return rows, list(crops.items())


def summary(rows: Sequence[Row]) -> list[Row]:
    """Medians over the photos by strength and format, and the least PSNR and SSIM."""
    found = []
    for strength, output in dict.fromkeys((row["strength"], row["format"]) for row in rows):
        own = [row for row in rows if (row["strength"], row["format"]) == (strength, output)]

        def figures(name: str, own: Sequence[Row] = own) -> list[float]:
            return [row[name] for row in own if row.get(name) is not None]

        spent = stages([row["seconds"] for row in own])
        whole = sum(spent.values())
        medians = {
            name: round(statistics.median(figures(name)), 4) if figures(name) else None
            for name in ("psnr_db", "ssim", "survival", "survival_hosted", *LIKENESS, "codec_ratio")
        }
        found.append({
            "strength": strength, "format": output, "photos": len(own), **medians,
            "least_psnr_db": min(figures("psnr_db")), "least_ssim": min(figures("ssim")),
            "seconds": round(whole, 3),
            "shares": {stage: round(seconds / whole, 3) for stage, seconds in spent.items()},
            "target": _targets([row["target"] for row in own if "target" in row]),
        })  # fmt: skip
    return found


def _targets(said: Sequence[dict[str, list[float]]]) -> dict[str, list[float]]:
    """Mean cosine before and after, by side and crop, in the way of shrinking that keeps least."""
    found: dict[str, list[float]] = {}
    for side, crop in product(target.SIDES, target.CROPS) if said else ():
        ways = [f"{side}/{way}/{crop}" for way in target.WAYS]
        means = [[statistics.mean(one[way][i] for one in said) for i in (0, 1)] for way in ways]
        found[f"{side}/{crop}"] = [round(x, 4) for x in min(means, key=lambda pair: pair[1])]
    return found
