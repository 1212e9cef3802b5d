"""Options that several commands share: the data folder, the address to listen on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder of ledger, pictures, queue and secret.", show_default="photoward-data"
    ),
]
Host = Annotated[str | None, typer.Option(help="Where to listen.", show_default="127.0.0.1")]
Port = Annotated[int | None, typer.Option(help="0: any free one.", show_default="8080")]
