"""The command line of the maintainers' measurements."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from benchmarks.dimension import dimension
from benchmarks.external import external
from benchmarks.ledger import ledger
from benchmarks.load import load
from benchmarks.results import PROGRAM
from benchmarks.verify import verify
from photoward.api import cli

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the measurement that ``arguments`` (default: the process's own) name, then exit."""
    app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
    for command in (ledger, load, dimension, external, verify):
        app.command()(command)
    cli.run(app, list(sys.argv[1:] if arguments is None else arguments), PROGRAM)
