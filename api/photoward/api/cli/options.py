"""Options that several commands share: the data folder, the address to listen on, the strength."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from photoward.core.catalogue import DEFAULT_PRESET, PRESETS, SHAPINGS

DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder of ledger, photos, queue and master secret.",
        show_default="PHOTOWARD_DATA_DIR, else photoward-data",
    ),
]
Host = Annotated[
    str | None,
    typer.Option(help="Address to listen on.", show_default="PHOTOWARD_HTTP_HOST, else 127.0.0.1"),
]
Port = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=65535,
        help="TCP port to listen on; 0: any free port.",
        show_default="PHOTOWARD_HTTP_PORT, else 8080",
    ),
]
ServiceUrl = Annotated[
    str | None,
    typer.Option(
        "--url",
        help="URL of the service.",
        show_default="that of `photoward login`, else http://127.0.0.1:8080",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON object per line.")]
Preset = Annotated[
    str | None,
    typer.Option(help=f"Strength: {', '.join(PRESETS)}.", show_default=DEFAULT_PRESET),
]
Shaping = Annotated[
    str | None,
    typer.Option(help=f"Where the change goes: {', '.join(SHAPINGS)}.", show_default=SHAPINGS[0]),
]
