"""``photoward audit``: the operator reads the audit log of all tenants or of one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from typing import Annotated

import typer

from photoward.api.cli.configuration import settings_from
from photoward.api.cli.options import DataDir
from photoward.core.audit import AuditEntry
from photoward.core.ledger import Ledger, open_ledger

PAGE = 1000


def audit(
    *,
    tenant: Annotated[
        str | None,
        typer.Option(help="Only what was done to this tenant's data.", show_default="all tenants"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object per line.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Print the audit log, oldest entry first.

    Each line: time, tenant, action, resource, detail, outcome, actor, address, request id.
    """
    with closing(open_ledger(settings_from(data_dir=data_dir))) as ledger:
        for entry in _entries(ledger, tenant):
            typer.echo(json.dumps(asdict(entry), default=str) if as_json else _line(entry))


def _entries(ledger: Ledger, tenant: str | None) -> Iterator[AuditEntry]:
    """All entries, page by page."""
    last = 0
    while page := ledger.audit.list_entries(tenant, after=last, limit=PAGE):
        yield from page
        last = page[-1].seq


def _line(entry: AuditEntry) -> str:
    actor = entry.actor
    columns = (
        entry.tenant,
        entry.action,
        entry.resource_id,
        entry.detail,
        entry.outcome,
        actor.name,
        actor.address,
        actor.request,
    )
    return "  ".join([f"{entry.at:%Y-%m-%d %H:%M:%S}", *(one or "-" for one in columns)])
