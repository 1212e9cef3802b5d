"""The commands that run the service: everything from one folder, or one part alone."""

from __future__ import annotations

import os
import resource
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from photoward.api.cli import stack
from photoward.api.cli.environment import require_closed_door, require_extra, settings_from
from photoward.api.cli.supervisor import Supervisor

MOST_FILES = 16_384
DRAIN_HTTP_S = 3
"""How long answers under way may still take when the HTTP face is asked to leave."""

DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder of ledger, pictures, queue and secret.", show_default="photoward-data"
    ),
]
Host = Annotated[str | None, typer.Option(help="Where to listen.", show_default="127.0.0.1")]
Port = Annotated[int | None, typer.Option(help="0: any free one.", show_default="8080")]


def up(
    *,
    data_dir: DataDir = None,
    host: Host = None,
    port: Port = None,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Write logs here, not into the data folder.")
    ] = False,
) -> None:
    """Run the whole service from one folder until Ctrl-C.

    Starts a private queue server (unless REDIS_URL names one), workers and the HTTP face, and
    restarts what ends unexpectedly. Everything that was accepted survives a stop.
    """
    settings = settings_from(data_dir=data_dir, host=host, port=port)
    require_closed_door(settings)
    for extra in ("api", "worker"):
        require_extra(extra)
    with (
        stack.only_one(settings.data_dir, "photoward up", "--data-dir"),
        tempfile.TemporaryDirectory(prefix="photoward-up-") as beats,
    ):
        settings = settings_from(
            data_dir=settings.data_dir.absolute(), port=stack.free_port(settings)
        )
        metrics = stack.empty_folder(settings.data_dir / "metrics")
        os.environ.pop("PHOTOWARD_METRICS_PORT", None)  # several processes would want the one port
        os.environ.setdefault("PHOTOWARD_WORKER_NICE", "10")
        Supervisor(
            stack.stages(settings, workers, Path(beats)),
            environment={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(metrics)},
            tell=lambda line: typer.echo(line, err=True),
            logs=None if verbose else stack.fresh_logs(settings.data_dir / "logs"),
        ).run(lambda: typer.echo(f"Photoward is ready: {stack.url(settings)}  (Ctrl-C ends it)"))
    typer.echo("Photoward has stopped; what it accepted is kept.")


def serve(*, data_dir: DataDir = None, host: Host = None, port: Port = None) -> None:
    """Run the HTTP face alone; queue, ledger and store are what the settings name."""
    settings = settings_from(data_dir=data_dir, host=host, port=port)
    require_closed_door(settings)
    require_extra("api")
    _open_many_files()
    import uvicorn  # noqa: PLC0415  # belongs to the extra that was just asked for

    uvicorn.run(
        "photoward.api.http.app:app_from_environment",
        factory=True,
        # httptools would save 2 ms of an upload's 7, but answers in plain text, and for the request
        # under way, when a method is made up or a body is longer than announced.
        http="photoward.api.http.server.header_timeout:Door",  # over h11
        host=settings.host,
        port=settings.port,
        access_log=False,
        log_config=None,  # the application writes JSON
        server_header=False,
        timeout_graceful_shutdown=DRAIN_HTTP_S,
    )


def _open_many_files() -> None:
    """As many as the system lets this process, and it may need: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def worker(*, data_dir: DataDir = None) -> None:
    """Run one worker alone; queue, ledger and store are what the settings name."""
    settings = settings_from(data_dir=data_dir)
    require_extra("worker")
    os.nice(settings.worker_nice)
    from photoward.worker.celery_app import run_worker  # noqa: PLC0415  # brings tensors

    run_worker(settings)
