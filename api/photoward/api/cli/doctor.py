"""``photoward doctor``: what was found on this machine, as a table or as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from photoward.api.cli.checks import machine, services
from photoward.api.cli.configuration import settings_from
from photoward.api.cli.options import DataDir

if TYPE_CHECKING:
    from collections.abc import Sequence

    from photoward.api.cli.checks.result import CheckResult


def doctor(
    *,
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check this machine, the libraries and the settings, and print what to do.

    Changes nothing. Exit code 1: the service cannot run here.
    """
    settings = settings_from(data_dir=data_dir)
    findings = [
        *machine.machine(),
        *machine.libraries(),
        *machine.surrogates(settings),
        *services.findings(settings),
    ]
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        Console().print(_table(findings))
    if any(finding.needed and not finding.ok for finding in findings):
        raise typer.Exit(1)


def _table(findings: Sequence[CheckResult]) -> Table:
    table = Table("", "Check", "Found", "What to do", box=None, pad_edge=False)
    for finding in findings:
        broken = "[red]✗[/]" if finding.needed else "[yellow]✗[/]"
        sign = "[green]✓[/]" if finding.ok else broken
        table.add_row(sign, finding.subject, finding.found, finding.remedy)
    return table
