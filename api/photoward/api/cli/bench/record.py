"""How every benchmark reports: one console, one file."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

console = Console()
Out = Annotated[Path | None, typer.Option(help="Where to write the result (JSON).")]


def write(out: Path | None, result: dict[str, Any]) -> None:
    """The result with what it was measured on."""
    if out is None:
        return
    from photoward.models.evaluation import report  # noqa: PLC0415  # heavy

    report.write({**report.about(shlex.join(["photoward", *sys.argv[1:]])), **result}, out)
