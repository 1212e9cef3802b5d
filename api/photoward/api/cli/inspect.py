"""``photoward inspect``: what a set of pictures is by itself, before anything is protected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from photoward.api.cli.extras import require_extra
from photoward.api.cli.files import folders

if TYPE_CHECKING:
    from photoward.models.training.data import LabelledPictures


def inspect(
    source: Annotated[Path, typer.Argument(help="Class folders, or a manifest of labels.")],
    size: Annotated[
        int, typer.Option(min=8, max=224, help="Side at which pictures are compared.")
    ] = 32,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As data, for programs.")] = False,
) -> None:
    """Tell a set's intrinsic dimension, how sharp its labels are, and what few pictures give away.

    No network is trained: distances between the pictures are all it needs.
    """
    require_extra("worker")
    from photoward.models.evaluation.metrics.intrinsic_dimension import intrinsic  # noqa: PLC0415  # heavy

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
    from photoward.models.training.data import load_pictures  # noqa: PLC0415  # heavy

    with folders.progress(Console(stderr=True)) as bar:
        return load_pictures(source, size, track=lambda files: bar.track(files, description="read"))
