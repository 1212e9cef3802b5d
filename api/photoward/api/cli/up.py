"""``photoward up``: the whole service from one folder."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from photoward.api.cli.configuration import require_api_key, settings_from
from photoward.api.cli.extras import require_extra
from photoward.api.cli.options import DataDir, Host, Port
from photoward.api.cli.service import programs
from photoward.api.cli.service.supervisor import Supervisor


def up(
    *,
    data_dir: DataDir = None,
    host: Host = None,
    port: Port = None,
    workers: Annotated[int, typer.Option(min=1, help="Number of worker processes.")] = 1,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", help="Write logs to the terminal instead of the data folder."),
    ] = False,
) -> None:
    """Run the whole service from one folder until Ctrl-C.

    Starts a private queue server (unless REDIS_URL names one), workers and the HTTP API, and
    restarts processes that end unexpectedly. Accepted photos survive a stop.
    """
    settings = settings_from(data_dir=data_dir, http_host=host, http_port=port)
    require_api_key(settings)
    for extra in ("api", "worker"):
        require_extra(extra)
    with (
        programs.only_one(settings.data_dir, "photoward up", "--data-dir"),
        tempfile.TemporaryDirectory(prefix="photoward-up-") as heartbeats,
    ):
        settings = settings_from(
            data_dir=settings.data_dir.absolute(),
            http_host=host,
            http_port=programs.free_port(settings),
        )
        metrics = programs.empty_folder(settings.data_dir / "metrics")
        Supervisor(
            programs.program_stages(settings, workers, Path(heartbeats)),
            environment=programs.environment(settings, metrics),
            tell=lambda line: typer.echo(line, err=True),
            logs=None if verbose else programs.fresh_logs(settings.data_dir / "logs"),
        ).run(lambda: typer.echo(f"Photoward is ready: {programs.url(settings)}  (Ctrl-C ends it)"))
    typer.echo("Photoward has stopped; accepted photos are kept.")
