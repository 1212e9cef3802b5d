"""``photoward bench``: how long, how many, and where the time goes; on this machine, now."""

from __future__ import annotations

import typer

from photoward.api.cli.bench.dimension import dimension
from photoward.api.cli.bench.engine import engine
from photoward.api.cli.bench.external import external
from photoward.api.cli.bench.fidelity import photo
from photoward.api.cli.bench.ledger import ledger
from photoward.api.cli.bench.load import load
from photoward.api.cli.bench.service import latency, throughput

app = typer.Typer(no_args_is_help=True)
for command in (latency, throughput, load, ledger, engine, photo, external, dimension):
    app.command()(command)
