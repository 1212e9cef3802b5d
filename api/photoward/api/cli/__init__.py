"""The command line: one table of sub-commands, one place where refusals become exit codes.

A sub-command is one row of ``COMMANDS``: name → (``module:attribute``, its line in the overview).
The attribute is a function with Typer annotations, or a ``typer.Typer`` with sub-commands of its
own. Only the module of the command that is called gets imported, so the overview stays fast and
no command pays for another's libraries.

Exit codes: 0 done; 1 failed, as of a service that does not answer, or some of several things
failed; 2 bad usage or input, or the service refused it; 130 interrupted.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from photoward.core.errors import ADVICE, PROBLEMS, PhotowardError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("photoward.api.cli.up:up", "Run the whole service from one folder."),
    "serve": ("photoward.api.cli.serve:serve", "Run the HTTP API alone."),
    "worker": ("photoward.api.cli.worker:worker", "Run one worker alone."),
    "protect": ("photoward.api.cli.protect:protect", "Protect photos without a service."),
    "sync": ("photoward.api.cli.sync:sync", "Protect a folder or bucket through a service."),
    "login": ("photoward.api.cli.login:login", "Store a service's URL and an API key."),
    "logout": ("photoward.api.cli.login:logout", "Delete the stored URL and API key."),
    "images": (
        "photoward.api.cli.images:app",
        "List, download, watch and delete images of a service.",
    ),
    "batches": (
        "photoward.api.cli.batches:app",
        "List, watch, download and end batches of a service.",
    ),
    "verify": ("photoward.api.cli.verify:verify", "Find out what files are, by a service."),
    "gateway": (
        "photoward.api.cli.gateway:gateway",
        "Serve a site's media files in public, photos protected.",
    ),
    "keys": ("photoward.api.cli.keys:app", "Create, list, rotate and revoke API keys."),
    "tenants": (
        "photoward.api.cli.tenants:app",
        "Set a tenant's quota or weight; erase a tenant.",
    ),
    "audit": ("photoward.api.cli.audit:audit", "Print the audit log."),
    "surrogate": ("photoward.api.cli.surrogate:app", "Train, import and list surrogate networks."),
    "evaluate": (
        "photoward.api.cli.evaluate:evaluate",
        "Measure protection: train networks on protected photos.",
    ),
    "inspect": (
        "photoward.api.cli.inspect:inspect",
        "Estimate a data set's dimension and label sharpness.",
    ),
    "bench": ("photoward.api.cli.bench:app", "Measure this machine: latency, throughput, engine."),
    "demo": ("photoward.api.cli.demo:demo", "Protect sample photos through the whole service."),
    "config": ("photoward.api.cli.config:config", "Print the settings in force and their sources."),
    "doctor": ("photoward.api.cli.doctor:doctor", "Check this machine and its settings."),
}

RENAMED = {
    ("keys", "end"): "photoward keys revoke",
    ("keys", "quota"): "photoward tenants quota",
    ("keys", "share"): "photoward tenants weight",
    ("keys", "erase-tenant"): "photoward tenants erase",
    **{
        ("bench", name): f"python -m benchmarks {name}"
        for name in ("dimension", "external", "ledger", "load")
    },
}
"""Old command → the command that replaced it, for the sentence that refuses the old one."""

FIRST_SERVER_FAULT = 500

COMPLETION = "_PHOTOWARD_COMPLETE"
"""Set by the script that ``photoward --install-completion`` installs in a shell."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that ``arguments`` (default: the process's own) name, then exit."""
    given = list(sys.argv[1:] if arguments is None else arguments) or _words_to_complete()
    words = tuple(word for word in given if not word.startswith("-"))[:2]
    if words in RENAMED:
        sys.stderr.write(
            f"photoward: `photoward {' '.join(words)}` is called `{RENAMED[words]}` now.\n"
        )
        sys.exit(2)
    run(application(given), given, "photoward")


def run(app: typer.Typer, arguments: Sequence[str], program: str) -> None:
    """Run a command line of Typer, then exit; what is refused becomes a sentence and a code."""
    try:
        app(arguments, prog_name=program)
    except PhotowardError as error:
        sys.stderr.write(f"photoward: {sentence(error)}\n")
        sys.exit(1 if error.problem.status >= FIRST_SERVER_FAULT else 2)


def application(arguments: Sequence[str]) -> typer.Typer:
    """All commands by name; only the one that is called is imported."""
    called = next((word for word in arguments if not word.startswith("-")), None)
    app = typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        callback=_photoward,
    )
    for name, (target, summary) in COMMANDS.items():
        command = load(target) if name == called else _not_called
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name, help=summary)
        else:
            app.command(name, help=summary if command is _not_called else None)(command)
    return app


def load(target: str) -> typer.Typer | Callable[..., None]:
    """Import what a row of ``COMMANDS`` names: a Typer, or a function to make a command of."""
    module, attribute = target.split(":")
    loaded: typer.Typer | Callable[..., None] = getattr(importlib.import_module(module), attribute)
    return loaded


def sentence(error: PhotowardError) -> str:
    """What went wrong, and what the person at the command line can do about it."""
    if isinstance(error, Unavailable):  # its remedies are for HTTP clients
        return error.detail
    return f"{error.detail} {ADVICE.get(error.code, PROBLEMS[error.code].remedy)}".strip()


def _words_to_complete() -> list[str]:
    """The words of the command line that a shell asks to complete; none: it does not ask."""
    line = os.environ.get("_TYPER_COMPLETE_ARGS") or os.environ.get("COMP_WORDS", "")
    return line.split()[1:] if COMPLETION in os.environ else []


def _not_called() -> None:
    """Stand in the overview for a command whose module was not needed."""


def _show_version(wanted: bool) -> None:  # noqa: FBT001  # Typer's signature for option callbacks
    if wanted:
        from importlib.metadata import version  # brings a parser of mail

        typer.echo(version("photoward"))
        raise typer.Exit


def _photoward(
    *,
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Make photos unprofitable to train on: a self-hosted service and its tools."""
