"""``photoward tenants``: the operator sets a tenant's quota and weight, and erases a tenant."""

from __future__ import annotations

from typing import Annotated

import typer

from photoward.api.cli.operator_ledger import open_as_operator
from photoward.api.cli.options import DataDir
from photoward.core.errors import BadInput
from photoward.core.object_keys import object_keys
from photoward.core.storage import open_store

app = typer.Typer(no_args_is_help=True)

Tenant = Annotated[str, typer.Argument(help="Name of the tenant.")]


@app.command()
def quota(
    tenant: Tenant,
    *,
    megapixels: Annotated[
        float | None,
        typer.Option(min=0, help="Megapixels a day.", show_default="print the quota and its use"),
    ] = None,
    unlimited: Annotated[bool, typer.Option("--unlimited", help="Remove the quota.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Print or set how many megapixels a tenant may submit in a day."""
    if unlimited and megapixels is not None:
        raise BadInput("invalid_option", "Give --megapixels or --unlimited, not both.")
    with open_as_operator(data_dir) as (_, ledger):
        if unlimited or megapixels is not None:
            ledger.tenants.set_quota(tenant, megapixels)
        found = ledger.tenants.usage(tenant)
    limit = "no limit" if found.quota is None else f"{found.quota:g}"
    typer.echo(f"{tenant}: {found.megapixels:.1f} megapixels in a day, of {limit}")


@app.command()
def weight(
    tenant: Tenant,
    weight: Annotated[
        float,
        typer.Argument(min=0.01, max=100, help="Weight; other tenants have 1 unless set."),
    ],
    *,
    data_dir: DataDir = None,
) -> None:
    """Set a tenant's share of a busy service: with weight 2 twice that of a tenant with 1."""
    with open_as_operator(data_dir) as (_, ledger):
        ledger.tenants.set_weight(tenant, weight)


@app.command()
def erase(
    tenant: Tenant,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Delete all photos, keys and texts of a tenant, and the salt of its secret, for good."""
    if not yes:
        typer.confirm(f"Delete everything of {tenant}, for good?", abort=True)
    with open_as_operator(data_dir) as (settings, ledger):
        items = ledger.tenants.erase(tenant)
        store = open_store(settings)
        for item in items:
            for key in object_keys(item):
                store.delete(key)
        for key, _ in store.keys(f"uploads/{tenant}"):
            store.delete(key)
    typer.echo(f"{len(items)} photos of {tenant} are deleted.", err=True)
