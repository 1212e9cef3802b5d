"""``photoward bench``: how fast this machine protects photos, and how visible the change is."""

from __future__ import annotations

import typer

from photoward.api.cli.bench.engine import engine
from photoward.api.cli.bench.latency import latency
from photoward.api.cli.bench.photo import photo
from photoward.api.cli.bench.throughput import throughput

app = typer.Typer(no_args_is_help=True)
for command in (latency, throughput, engine, photo):
    app.command()(command)
