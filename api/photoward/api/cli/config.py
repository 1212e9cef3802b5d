"""``photoward config``: the settings in force, and where each comes from."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from photoward.api.cli.configuration import settings_from
from photoward.api.cli.options import DataDir, Host, Port
from photoward.core.settings import Settings, is_secret, source_of, variables

MASK = "********"


def config(
    *,
    data_dir: DataDir = None,
    host: Host = None,
    port: Port = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print all settings in force with their sources; secrets are masked.

    A source is a command line option, an environment variable, a secret file or the default.
    """
    given = {"data_dir": data_dir, "http_host": host, "http_port": port}
    settings = settings_from(**given)
    options = {name for name, value in given.items() if value is not None}
    rows = [_row(settings, name, options) for name in Settings.model_fields]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table("variable", "value", "source", box=None, pad_edge=False)
    for row in rows:
        table.add_row(row["variable"], _text(row["value"]), row["source"])
    Console(soft_wrap=True).print(table)


def _row(settings: Settings, name: str, options: set[str]) -> dict[str, Any]:
    """One setting: ``setting``, ``variable``, ``value`` (as JSON), ``source``."""
    value = settings.model_dump(mode="json", include={name})[name]
    return {
        "setting": name,
        "variable": variables(name)[0],
        "value": MASK if value is not None and is_secret(name) else value,
        "source": "option" if name in options else source_of(name),
    }


def _text(value: object) -> str:
    if value is None:
        return "–"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
