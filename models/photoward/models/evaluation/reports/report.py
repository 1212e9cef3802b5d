"""One evaluation as data: what was compared, how, on what, and what came out."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from photoward.core.files import write_whole
from photoward.models.evaluation.metrics.fidelity import likeness
from photoward.models.evaluation.metrics.intrinsic_dimension import intrinsic
from photoward.models.evaluation.metrics.learned_share import (
    CLEAN,
    last,
    method_of,
    peak,
    trainers,
    with_worst,
)
from photoward.models.evaluation.reports.findings import findings
from photoward.models.surrogates.surrogate import fastest_dtype

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from photoward.models.evaluation.countermeasures.base import Countermeasure
    from photoward.models.evaluation.picture_sets import Subjects
    from photoward.models.evaluation.trainer_run import VictimRecipe
    from photoward.models.training.data import LabelledPictures

KEY = ("protection", "countermeasure", "architecture", "share")
"""Cells that differ in nothing but the seed make one row."""


def assemble(  # noqa: PLR0913  # all that a result must say of itself
    *,
    command: str,
    cells: Sequence[Mapping[str, Any]],
    subjects: Subjects,
    recipe: VictimRecipe,
    countermeasures: Mapping[str, Countermeasure],
    device: torch.device,
    note: str = "",
    surrogates: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """The JSON-able result of an evaluation.

    Args:
        command: what was typed.
        cells: what ``Matrix.run`` gave.
        subjects: what was compared.
        recipe: how the victims trained, but for what their cells say.
        countermeasures: name → what was tried, or could not be (``missing``).
        device: where they trained.
        note: what a reader must know of the pictures.
        surrogates: protection → the networks that made it, as far as is known.
    """
    made_by = surrogates or {}
    rows = [
        {**row, **_network(row, countermeasures, made_by)} for row in with_worst(summarise(cells))
    ]
    found: dict[str, Any] = {
        **about(command),
        **machine(device),
        "note": note,
        "data": {
            "clean": {
                **_described(subjects.clean),
                "intrinsic": intrinsic(subjects.clean).described(),
            },
            **{name: _described(one) for name, one in subjects.protected.items()},
            "test": {**_described(subjects.test), "held_out": subjects.held_out},
        },
        "classes": subjects.clean.classes,
        "recipe": {k: v for k, v in asdict(recipe).items() if k not in {"architecture", "seed"}},
        "seeds": sorted({cell["cell"]["seed"] for cell in cells}),
        "countermeasures": {
            name: {
                "title": one.title,
                "source": one.source,
                "parameters": dict(one.parameters),
                "family": _family(one),
                "missing": one.missing,
            }
            for name, one in countermeasures.items()
        },
        "surrogates": {name: sorted(networks) for name, networks in made_by.items()},
        "quality": {
            name: likeness(subjects.clean.pictures, one.pictures)
            for name, one in subjects.protected.items()
        },
        "rows": rows,
    }
    best = [
        {
            **{
                key: row[key] for key in ("protection", "trainer", "title", "architecture", "share")
            },
            "peak": peak(row),
            "last": last(row),
        }
        for row in trainers(rows, found["countermeasures"])
    ]
    return {**found, **_headline(rows), "trainers": best, "findings": findings(found)}


def summarise(cells: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row for cells that differ only in the seed: mean and standard deviation."""
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for cell in cells:
        groups.setdefault(tuple(cell["cell"][key] for key in KEY), []).append(cell)
    return [
        {
            **dict(zip(KEY, key, strict=True)),
            "seeds": len(group),
            **{
                figure: _spread([float(cell[figure]) for cell in group])
                for figure in ("test_accuracy", "train_accuracy", "seconds")
            },
            "peak_accuracy": _spread(
                [max(*cell["test_curve"], float(cell["test_accuracy"])) for cell in group]
            ),
            **{
                curve: _mean_curve([cell[curve] for cell in group])
                for curve in ("train_curve", "test_curve")
            },
        }
        for key, group in groups.items()
    ]


def about(command: str) -> dict[str, Any]:
    """What every result says of itself: when, by which command, on what, with which versions."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "command": command,
        "hardware": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": _versions(),
    }


def machine(device: torch.device) -> dict[str, Any]:
    """Where tensors were computed, in which precision, and with which versions."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    precision = str(fastest_dtype(device)).removeprefix("torch.")
    return {"device": name, "precision": precision, "versions": _versions()}


def write(result: Mapping[str, Any], path: Path) -> None:
    """Write a result whole or not at all."""
    write_text(json.dumps(result, indent=2) + "\n", path)


def write_text(text: str, path: Path) -> None:
    """Write a file whole or not at all."""
    write_whole(path, text.encode())


def _versions() -> dict[str, str]:
    return {
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def _described(pictures: LabelledPictures) -> dict[str, Any]:
    return {"pictures": len(pictures.labels), "sha256": pictures.digest()}


def _headline(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Plain training of the first architecture, on the control and on the first protection."""
    plain = [row for row in rows if row["countermeasure"] == "none"]
    found = {"control": plain[0]} if plain else {}
    protected = [row for row in plain if row["protection"] != "clean"]
    if protected:
        found["protected"] = protected[0]
    return {
        name: {key: row[key]["mean"] for key in ("test_accuracy", "train_accuracy", "seconds")}
        for name, row in found.items()
    }


def _network(
    row: Mapping[str, Any],
    countermeasures: Mapping[str, Countermeasure],
    surrogates: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """What made the noise (None: not told), what a trainer starts from, and whether it is of it."""
    network = countermeasures[row["countermeasure"]].network
    protection = row["protection"].partition(",")[0]
    known = [
        made
        for name, made in surrogates.items()
        if name in {protection, method_of(protection)} or method_of(name) == protection
    ]
    made = sorted({one for networks in known for one in networks}) if known else None
    if row["protection"] == CLEAN:
        made = []
    found: dict[str, Any] = {"surrogates": made}
    if network:
        found |= {"network": network, "was_surrogate": None if made is None else network in made}
    return found


def _family(one: Countermeasure) -> str:
    """``fine-tune:NETWORK``: rows of which the best counts."""
    return f"{one.family}:{one.network}" if one.family else ""


def _spread(values: Sequence[float]) -> dict[str, float | None]:
    spread = round(stdev(values), 4) if len(values) > 1 else None
    return {"mean": round(fmean(values), 4), "sd": spread}


def _mean_curve(curves: Sequence[Sequence[float]]) -> list[float]:
    return [round(fmean(values), 4) for values in zip(*curves, strict=True)]
