"""``photoward inspect``: a data set's intrinsic dimension and label sharpness."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from photoward.api.cli import console as terminal
from photoward.api.cli.extras import require_extra

if TYPE_CHECKING:
    from photoward.models.training.data import LabelledPictures


def inspect(
    source: Annotated[
        Path, typer.Argument(help="Folder of class folders, or a manifest of labels.")
    ],
    size: Annotated[
        int, typer.Option(min=8, max=224, help="Side in pixels at which images are compared.")
    ] = 32,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Estimate a set's intrinsic dimension, its label sharpness and what few photos give away.

    Trains no network: it uses the distances between the images.
    """
    require_extra("worker")
    from photoward.models.evaluation.metrics.intrinsic_dimension import intrinsic

    found = intrinsic(_load(source, size)).described()
    if as_json:
        typer.echo(json.dumps({"source": str(source), "size": size, **found}, indent=2))
        return
    for line in sentences(found, size):
        Console().print(line, soft_wrap=True, highlight=False, markup=False)


def sentences(found: dict[str, Any], size: int) -> list[str]:
    """The figures as a person reads them."""
    compared = (
        f"{found['pictures']} pictures, of which {found['compared']} were compared, at {size} × "
        f"{size} pixels ({found['samples']} samples each)."
    )
    sharp = (
        f"Label sharpness K_F {found['label_sharpness']}: the larger, the more alike are pictures "
        "of different labels."
    )
    if found["levina_bickel"] is None or found["two_nn"] is None:
        return [compared, sharp, "Too few pictures differ for an estimate of their dimension."]
    dimension = (
        f"Intrinsic dimension {found['levina_bickel']} (Levina-Bickel), {found['two_nn']} (TwoNN)."
    )
    undone = (
        f"If a trainer's loss falls as K_F · N^(−1/d), {found['undone_by']} unprotected pictures "
        f"({found['undone_by'] / found['pictures']:.1%}) leave it within 10 % of what all "
        f"{found['pictures']} would: protect them all."
    )
    return [compared, dimension, sharp, undone]


def _load(source: Path, size: int) -> LabelledPictures:
    from photoward.models.training.data import load_pictures

    with terminal.progress(Console(stderr=True)) as bar:
        return load_pictures(source, size, track=lambda files: bar.track(files, description="read"))
