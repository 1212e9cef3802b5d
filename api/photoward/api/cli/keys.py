"""``photoward keys``: the operator makes and ends API keys, and erases a tenant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from photoward.api.cli.configuration import settings_from
from photoward.api.cli.options import DataDir
from photoward.core import api_keys
from photoward.core.api_keys import (
    DEFAULT_TENANT,
    GRACE_HOURS,
    MAX_NAME,
    USUAL,
    ApiKey,
    Minted,
    Scope,
)
from photoward.core.audit import OPERATOR, act_as
from photoward.core.errors import BadInput, NotFound
from photoward.core.key_derivation import pepper, read_or_make_master
from photoward.core.ledger import open_ledger
from photoward.core.object_keys import object_keys
from photoward.core.ports import Ledger
from photoward.core.settings import Settings
from photoward.core.storage import open_store

app = typer.Typer(no_args_is_help=True)

Tenant = Annotated[str, typer.Option(help="Whose photos it opens.")]
_TENANT = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Where it will be used.")],
    *,
    tenant: Tenant = DEFAULT_TENANT,
    scope: Annotated[
        list[Scope] | None,
        typer.Option(help="What it allows; several times for more. read and write if not given."),
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=1, help="Until it expires; never if not given.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Make a key. It is written to the standard output, once."""
    if not _TENANT.fullmatch(tenant):
        raise BadInput(
            "invalid_option",
            "A tenant's name has up to 128 small letters, digits, dots and dashes.",
        )
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise BadInput("invalid_option", f"A name has 1 to {MAX_NAME} printable characters.")
    lifetime = None if days is None else timedelta(days=days)
    with _opened(data_dir) as (settings, ledger):
        minted = _minted(settings)
        _show(minted, ledger.add_key(minted, tenant, name, frozenset(scope or USUAL), lifetime))


@app.command("list")
def list_keys(*, tenant: Tenant = DEFAULT_TENANT, data_dir: DataDir = None) -> None:
    """List a tenant's keys, expired ones too."""
    with _opened(data_dir) as (_, ledger):
        found = ledger.keys(tenant)
    table = Table("id", "name", "scopes", "made", "expires", box=None, pad_edge=False)
    for key in found:
        ends = "never" if key.expires_at is None else f"{key.expires_at:%Y-%m-%d %H:%M}"
        made = f"{key.created_at:%Y-%m-%d %H:%M}"
        table.add_row(key.id, key.name, ",".join(sorted(key.scopes)), made, ends)
    Console().print(table)


@app.command()
def rotate(
    key_id: Annotated[str, typer.Argument(help="Of the key that is to be replaced.")],
    *,
    tenant: Tenant = DEFAULT_TENANT,
    grace_hours: Annotated[
        int, typer.Option(min=0, help="How long the old one still opens.")
    ] = GRACE_HOURS,
    data_dir: DataDir = None,
) -> None:
    """Make a key of the same name and scopes; the old one ends after a while."""
    with _opened(data_dir) as (settings, ledger):
        _require(ledger, tenant, key_id)
        minted = _minted(settings)
        grace = timedelta(hours=grace_hours)
        _show(minted, ledger.rotate_key(tenant, key_id, minted, grace))


@app.command()
def end(
    key_id: Annotated[str, typer.Argument(help="Of the key.")],
    *,
    tenant: Tenant = DEFAULT_TENANT,
    data_dir: DataDir = None,
) -> None:
    """End a key at once."""
    with _opened(data_dir) as (_, ledger):
        _require(ledger, tenant, key_id)
        ledger.end_key(tenant, key_id, timedelta(0))


@app.command()
def quota(
    tenant: Annotated[str, typer.Argument(help="Whose.")],
    megapixels: Annotated[
        float | None, typer.Option(min=0, help="A day; without it only the use is told.")
    ] = None,
    *,
    unlimited: Annotated[bool, typer.Option("--unlimited", help="Take the quota away.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Say or set how many megapixels a tenant may hand in a day."""
    if unlimited and megapixels is not None:
        raise BadInput("invalid_option", "Give --megapixels or --unlimited, not both.")
    with _opened(data_dir) as (_, ledger):
        if unlimited or megapixels is not None:
            ledger.set_quota(tenant, megapixels)
        found = ledger.usage(tenant)
    of = "no limit" if found.quota is None else f"{found.quota:g}"
    typer.echo(f"{tenant}: {found.megapixels:.1f} megapixels in a day, of {of}")


@app.command()
def share(
    tenant: Annotated[str, typer.Argument(help="Whose.")],
    weight: Annotated[float, typer.Argument(min=0.01, max=100, help="Everybody else's is 1.")],
    *,
    data_dir: DataDir = None,
) -> None:
    """Set how large a share of a busy machine a tenant gets."""
    with _opened(data_dir) as (_, ledger):
        ledger.set_weight(tenant, weight)


@app.command("erase-tenant")
def erase_tenant(
    tenant: Annotated[str, typer.Argument(help="Who is to be forgotten.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Delete all photos, keys and words of a tenant, and the salt of its secret."""
    if not yes:
        typer.confirm(f"Delete everything of {tenant}, for good?", abort=True)
    with _opened(data_dir) as (settings, ledger):
        items = ledger.erase(tenant)
        store = open_store(settings)
        for item in items:
            for key in object_keys(item):
                store.delete(key)
        for key, _ in store.keys(f"uploads/{tenant}"):
            store.delete(key)
    typer.echo(f"{len(items)} photos of {tenant} are gone.", err=True)


@contextmanager
def _opened(data_dir: DataDir) -> Iterator[tuple[Settings, Ledger]]:
    settings = settings_from(data_dir=data_dir)
    ledger = open_ledger(settings)
    act_as(OPERATOR)
    try:
        yield settings, ledger
    finally:
        ledger.close()


def _require(ledger: Ledger, tenant: str, key_id: str) -> None:
    """Say what is missing, in more words than HTTP's callers get."""
    if all(key.id != key_id for key in ledger.keys(tenant)):
        raise NotFound(f"{tenant} has no key {key_id!r}.")


def _minted(settings: Settings) -> Minted:
    return api_keys.mint(pepper(read_or_make_master(settings.master_secret)))


def _show(minted: Minted, key: ApiKey) -> None:
    typer.echo(f"Key {key.id} of {key.tenant}; it is shown only now:", err=True)
    typer.echo(minted.text)
