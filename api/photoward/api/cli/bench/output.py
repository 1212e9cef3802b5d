"""How benchmarks report: one console, one JSON file."""

from __future__ import annotations

import shlex
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STAGES = {
    "decode": ("decode",),
    "noise": ("perturb", "enlarge"),
    "encode": ("encode",),
    "verify and measure": ("verify",),
}
"""Stage → the steps of ``measured.seconds`` that make it up."""

console = Console()
Out = Annotated[Path | None, typer.Option(help="JSON file for the result.", show_default="none")]


def write(out: Path | None, result: dict[str, Any], program: str = "photoward") -> None:
    """The result with what it was measured on."""
    if out is None:
        return
    from photoward.models.evaluation.reports import report

    report.write({**report.about(f"{program} {shlex.join(sys.argv[1:])}"), **result}, out)


def stages(seconds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Median seconds of each of ``STAGES``, from the steps of several pictures."""
    return {
        name: statistics.median(sum(one.get(step, 0.0) for step in steps) for one in seconds)
        for name, steps in STAGES.items()
    }
