"""Summary of ``photoward bench photo``: medians over the photos and the worst one, as tables."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from rich.table import Column, Table

from photoward.api.cli.bench.output import stages

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Row = dict[str, Any]

VISIBILITY_DIGITS = {"visibility": 2, "flip": 3, "flat_delta_e": 1, "low_chroma": 2, "low_luma": 2}
"""Figure of visibility → digits after the point in tables."""

CAPTIONS = {
    "whole": "Whole photos fitted to 1200 px: medians, in brackets the worst photo. Visibility 1: "
    "the edge of seeing it side by side. Flat delta e: CIEDE2000, 95th percentile of the flattest "
    "third. Low: share of the change below 24 cycles a picture.",
    "crop": "Their middles at 100 %.",
}
"""Scale of the comparison → caption of its table."""

FILE = ("psnr_db", "ssim", "ms_ssim", "survival", "survival_hosted", "codec_ratio")


def summary(rows: Sequence[Row]) -> list[Row]:
    """One row for each strength and format: medians, and the worst photo."""
    found = []
    for strength, output in dict.fromkeys((row["strength"], row["format"]) for row in rows):
        own = [row for row in rows if (row["strength"], row["format"]) == (strength, output)]
        one: Row = {"strength": strength, "format": output, "photos": len(own)}
        for scale in CAPTIONS:
            one[scale] = _visibility([_scaled(row, scale) for row in own])
        found.append({**one, **_of_files(own)})
    return found


def _scaled(row: Row, scale: str) -> dict[str, float | None]:
    """The visibility of the whole photo, or of its middle at 100 %."""
    of = row if scale == "whole" else row["crop"]
    return {"visibility": of["visibility"], **of["seen"]}


def _visibility(own: Sequence[dict[str, float | None]]) -> Row:
    """Medians of all photos, and their maxima as ``most``."""
    figures = {
        name: [found for one in own if (found := one[name]) is not None]
        for name in VISIBILITY_DIGITS
    }
    return {
        **{name: _median(values) for name, values in figures.items()},
        "most": {name: max(values, default=None) for name, values in figures.items()},
    }


def _of_files(own: Sequence[Row]) -> Row:
    """Similarity, survival and time; empty for files that were not protected here."""
    if not all("seconds" in row for row in own):
        return {}
    figures = {name: [row[name] for row in own if row.get(name) is not None] for name in FILE}
    spent = stages([row["seconds"] for row in own])
    whole = sum(spent.values())
    return {
        **{name: _median(values) for name, values in figures.items()},
        "least_psnr_db": min(figures["psnr_db"], default=None),
        "least_ssim": min(figures["ssim"], default=None),
        "seconds": round(whole, 3),
        "shares": {stage: round(seconds / whole, 3) for stage, seconds in spent.items()},
    }


def _median(values: Sequence[Any]) -> float | None:
    return round(statistics.median(values), 4) if values else None


def tables(found: Sequence[Row]) -> Iterator[Table]:
    """The tables: visibility, the files, their time."""
    for scale in CAPTIONS:
        yield _visibility_table(found, scale)
    ours = [row for row in found if "seconds" in row]
    if ours:
        yield _file_table(ours)
        yield _time_table(ours)


def _visibility_table(found: Sequence[Row], scale: str) -> Table:
    shown = list(VISIBILITY_DIGITS) if scale == "whole" else list(VISIBILITY_DIGITS)[:3]
    table = Table(
        "strength, format",
        *(Column(name.replace("_", " "), no_wrap=True) for name in shown),
        caption=CAPTIONS[scale],
    )
    for row in found:
        table.add_row(_kind(row), *(_both(row[scale], name) for name in shown))
    return table


def _both(figures: Row, name: str) -> str:
    most = shown_figure(figures["most"][name], VISIBILITY_DIGITS[name])
    return f"{shown_figure(figures[name], VISIBILITY_DIGITS[name])}\n({most})" if most else ""


def _file_table(found: Sequence[Row]) -> Table:
    table = Table(
        "strength, format",
        "PSNR dB",
        "SSIM",
        "MS-SSIM",
        "survival",
        caption="Medians; in brackets the least. Survival in the file → shrunk to 1080 px and "
        "saved as JPEG 75.",
    )
    for row in found:
        table.add_row(
            _kind(row),
            f"{shown_figure(row['psnr_db'], 1)} ({shown_figure(row['least_psnr_db'], 1)})",
            f"{shown_figure(row['ssim'], 3)} ({shown_figure(row['least_ssim'], 3)})",
            shown_figure(row["ms_ssim"], 3),
            f"{shown_figure(row['survival'], 2)} → {shown_figure(row['survival_hosted'], 2)}",
        )
    return table


def _time_table(found: Sequence[Row]) -> Table:
    table = Table(
        "strength, format",
        "s",
        "% of it",
        "× codec",
        caption="Shares: decode, noise, encode, verify and measure. × codec: all but the noise, as "
        "a multiple of what libjpeg-turbo takes to decode and encode.",
    )
    for row in found:
        shares = " ".join(f"{100 * share:.0f}" for share in row["shares"].values())
        table.add_row(
            _kind(row), f"{row['seconds']:.2f}", shares, shown_figure(row["codec_ratio"], 1)
        )
    return table


def _kind(row: Row) -> str:
    return f"{row['strength']}, {row['format']}"


def shown_figure(figure: float | None, digits: int) -> str:
    """A figure, if there is one."""
    return "" if figure is None else f"{figure:.{digits}f}"
