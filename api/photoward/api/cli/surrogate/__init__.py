"""``photoward surrogate``: train, import and list surrogate networks."""

from __future__ import annotations

import typer

from photoward.api.cli.surrogate.importing import import_network
from photoward.api.cli.surrogate.listing import list_surrogates
from photoward.api.cli.surrogate.train import train

app = typer.Typer(no_args_is_help=True)
app.command("list")(list_surrogates)
app.command("train")(train)
app.command("import")(import_network)
