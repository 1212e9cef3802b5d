"""How a measurement is written: as those of ``photoward bench``, with its own command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from photoward.api.cli.bench import output

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = "python -m benchmarks"


def write(out: Path | None, result: dict[str, Any]) -> None:
    """The result as JSON, with the command and the machine; None: nowhere."""
    output.write(out, result, program=PROGRAM)
