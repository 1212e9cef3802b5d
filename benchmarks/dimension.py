"""``python -m benchmarks dimension``: does a set's dimension decide what protection leaves?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.table import Table

from benchmarks.results import write
from photoward.api.cli.bench.output import Out, console
from photoward.core.errors import BadInput
from photoward.models.evaluation.metrics.learned_share import kept, learns, peak

if TYPE_CHECKING:
    from collections.abc import Sequence

FEWEST = 5
"""Sets below which a correlation says nothing at all."""


def dimension(
    reports: Annotated[
        list[Path], typer.Argument(help="report.json of an evaluation of each set.")
    ],
    protection: Annotated[
        str, typer.Option(help="Name of the protection in all reports.")
    ] = "protected",
    trainer: Annotated[str, typer.Option(help="Countermeasure whose results count.")] = "none",
    out: Out = None,
) -> None:
    """Correlate the intrinsic dimension of at least five sets with the accuracy that remains."""
    if len(reports) < FEWEST:
        raise BadInput(
            "invalid_option",
            f"{len(reports)} reports: evaluate at least {FEWEST} sets, each with --out of its own.",
        )
    rows = [_row(path, protection, trainer) for path in reports]
    left = [row["kept"] for row in rows]
    result = {
        "protection": protection,
        "trainer": trainer,
        "rows": rows,
        "correlation": {
            figure: _correlations([row[figure] for row in rows], left)
            for figure in ("levina_bickel", "two_nn", "label_sharpness")
        },
    }
    _show(result)
    write(out, result)


def _row(path: Path, protection: str, trainer: str) -> dict[str, Any]:
    """One set: its figures, and what is kept of the trainer's learning."""
    try:
        found = json.loads(path.read_bytes())
        measured = found["data"]["clean"]["intrinsic"]
        clean, protected = (
            next(
                row
                for row in found["rows"]
                if (row["protection"], row["countermeasure"]) == (name, trainer)
            )
            for name in ("clean", protection)
        )
    except (OSError, ValueError, KeyError, TypeError, StopIteration, RuntimeError) as error:
        raise BadInput(
            "invalid_option",
            f"{path} is no report of an evaluation with {trainer} on {protection} and with the "
            "set's dimension: run `photoward evaluate` again.",
        ) from error
    classes = len(found["classes"])
    if measured["levina_bickel"] is None or not learns(clean, classes):
        raise BadInput(
            "invalid_option",
            f"{path} says nothing: too few pictures, or the control learnt nothing.",
        )
    return {
        "set": str(path),
        "classes": classes,
        **measured,
        "control": peak(clean),
        "protected": peak(protected),
        "kept": round(kept(protected, clean, classes), 4),
    }


def _correlations(one: Sequence[float], other: Sequence[float]) -> dict[str, float | None]:
    return {"pearson": _pearson(one, other), "spearman": _pearson(_ranks(one), _ranks(other))}


def _ranks(values: Sequence[float]) -> list[float]:
    """Equal values share the mean of their places."""
    return [
        sum(other < one for other in values) + sum(other == one for other in values) / 2
        for one in values
    ]


def _pearson(one: Sequence[float], other: Sequence[float]) -> float | None:
    """None where one of them does not vary."""
    if len(set(one)) == 1 or len(set(other)) == 1:
        return None
    return round(float(np.corrcoef(one, other)[0, 1]), 3)


def _show(result: dict[str, Any]) -> None:
    table = Table("set", "dimension", "TwoNN", "K_F", "control", "protected", "kept above chance")
    for row in result["rows"]:
        table.add_row(
            row["set"],
            str(row["levina_bickel"]),
            str(row["two_nn"]),
            str(row["label_sharpness"]),
            f"{row['control']:.1%}",
            f"{row['protected']:.1%}",
            f"{row['kept']:.0%}",
        )
    console.print(table)
    for figure, found in result["correlation"].items():
        console.print(
            f"{figure} and what is kept: Pearson {found['pearson']}, Spearman {found['spearman']} "
            f"over {len(result['rows'])} sets",
            highlight=False,
        )
