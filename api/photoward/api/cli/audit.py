"""``photoward audit``: the operator reads who did what, of all tenants or of one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from typing import Annotated

import typer

from photoward.api.cli.configuration import settings_from
from photoward.api.cli.options import DataDir
from photoward.core.audit import Entry
from photoward.core.ledger import open_ledger
from photoward.core.ports import Ledger

PAGE = 1000


def audit(
    *,
    tenant: Annotated[str | None, typer.Option(help="Only what was done to its things.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="For programs: an object a line.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """List who did what to whom, oldest first, a line each."""
    with closing(open_ledger(settings_from(data_dir=data_dir))) as ledger:
        for entry in _every(ledger, tenant):
            typer.echo(json.dumps(asdict(entry), default=str) if as_json else _line(entry))


def _every(ledger: Ledger, tenant: str | None) -> Iterator[Entry]:
    seen = 0
    while page := ledger.entries(tenant, after=seen, limit=PAGE):
        yield from page
        seen = page[-1].seq


def _line(entry: Entry) -> str:
    actor = entry.actor
    told = (
        entry.tenant, entry.deed, entry.thing, entry.detail, entry.outcome, actor.name,
        actor.address, actor.request,
    )  # fmt: skip
    return "  ".join([f"{entry.at:%Y-%m-%d %H:%M:%S}", *(one or "-" for one in told)])
