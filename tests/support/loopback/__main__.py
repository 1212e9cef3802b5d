"""``python -m tests.support.loopback``: start the services, wait for Ctrl-C, stop them."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from photoward.api.cli.service.programs import fresh_logs, only_one
from photoward.api.cli.service.supervisor import Supervisor
from photoward.core.errors import Unavailable
from tests.support.loopback import cluster, configuration, programs
from tests.support.loopback.composition import FILE, Service, services, stages
from tests.support.loopback.instance import Instance, instances
from tests.support.loopback.layout import LOOPBACK, Layout

if TYPE_CHECKING:
    from photoward.api.cli.service.process import Program

PROFILES = ("cpu", "observe")
NEW_KEY = ["photoward", "keys", "add", "stack", "--scope", "read", "--scope", "write"]


def main(
    *,
    state: Annotated[Path, typer.Option(help="Folder of everything that it keeps.")] = Path(
        "photoward-stack"
    ),
    port: Annotated[
        int | None, typer.Option(help="Instead of the published one; 0: any free one.")
    ] = None,
) -> None:
    """Run docker-compose.yml without a container engine until Ctrl-C."""
    os.umask(0o077)
    state = state.absolute()
    for folder in (state, *(state / name for name in ("volumes", "tmp", "run"))):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o711)  # users of other services pass through, and see nothing
    with only_one(state, "make stack", "--state"):
        _run(state, port)
    typer.echo("The stack has stopped; what it accepted is kept.")


def _run(state: Path, port: int | None) -> None:
    chosen = [one for one in services(os.environ, PROFILES) if _runs_here(one)]
    programs.gather({one.image for one in chosen}, state / "bin")
    try:
        layout = Layout(state, chosen, port)
    except OSError as error:
        raise Unavailable(f"The published port is taken ({error.strerror}): use --port.") from None
    made = state / "secrets"
    subprocess.run([FILE.parent / "docker" / "secrets.sh", made], check=True)  # ours
    configuration.rename_secrets(layout, made)
    nginx = next(one for one in chosen if one.published)
    url = f"http://{LOOPBACK}:{next(iter(layout.ports(nginx).values()))}"
    try:
        Supervisor(
            [[*_programs(stage, chosen, layout)] for stage in stages(chosen)],
            environment=os.environ,
            tell=lambda line: typer.echo(line, err=True),
            logs=fresh_logs(state / "logs"),
        ).run(
            lambda: typer.echo(
                f"The stack is ready: {url}  (API key: {state / 'key'}, logs: {state / 'logs'}; "
                "Ctrl-C ends it)"
            )
        )
    finally:
        for service in chosen:
            programs.sweep(layout.ports(service).values())


def _programs(stage: list[Service], chosen: list[Service], layout: Layout) -> list[Program]:
    found = []
    for service in stage:
        if service.ends:
            continue  # run after what it waits for
        for instance in instances(service, layout):
            instance.prepare()
            if service.image == "postgres":
                cluster.make(instance)
            found.append(instance.program(partial(_after, service.name, chosen, layout)))
    return found


def _after(name: str, chosen: list[Service], layout: Layout) -> bool:
    """Whether what only has to be done once after a service is ready has gone well."""
    for service in chosen:
        if service.ends and name in service.spec["depends_on"]:
            job = Instance(service, 1, layout)
            job.prepare()
            if not job.runs(service.command):
                return False
    return name != "postgres" or _key(chosen, layout)


def _key(chosen: list[Service], layout: Layout) -> bool:
    """Whether there is an API key; without one no face starts."""
    path = layout.state / "key"
    if not path.exists():
        face = Instance(next(one for one in chosen if one.name == "api"), 1, layout)
        face.prepare()
        done = subprocess.run(
            face.command(NEW_KEY), capture_output=True, text=True, check=False
        )  # ours
        if done.returncode:
            raise Unavailable(f"No API key could be made: {done.stderr.strip()}")
        path.write_text(done.stdout.strip() + "\n", encoding="utf-8")
    return True


def _runs_here(service: Service) -> bool:
    """Whether it can run without its image; what is only looked with may be left out."""
    observes = "observe" in service.spec.get("profiles", ())
    if observes and not (service.command and programs.installed(service.image)):
        typer.echo(f"Left out: {service.name}, which is not installed here.", err=True)
        return False
    return True


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    try:
        app()
    except Unavailable as error:
        sys.stderr.write(f"stack: {error.detail}\n")
        sys.exit(1)
