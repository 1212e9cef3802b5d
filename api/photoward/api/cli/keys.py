"""``photoward keys``: the operator creates, lists, rotates and revokes API keys."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

import typer

from photoward.api.cli.console import print_table
from photoward.api.cli.operator_ledger import open_as_operator
from photoward.api.cli.options import DataDir
from photoward.core import api_keys
from photoward.core.api_keys import (
    DEFAULT_SCOPES,
    DEFAULT_TENANT,
    MAX_NAME,
    ROTATION_GRACE_HOURS,
    ApiKey,
    NewApiKey,
    Scope,
)
from photoward.core.errors import BadInput, NotFound
from photoward.core.key_derivation import pepper, read_or_make_master
from photoward.core.ledger import Ledger
from photoward.core.settings import Settings

app = typer.Typer(no_args_is_help=True)

Tenant = Annotated[str, typer.Option(help="Tenant whose photos the key gives access to.")]
KeyId = Annotated[str, typer.Argument(help="Id of the key, as `keys list` prints it.")]
_TENANT = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Name of the key, as of the program that uses it.")],
    *,
    tenant: Tenant = DEFAULT_TENANT,
    scope: Annotated[
        list[Scope] | None,
        typer.Option(
            help="What the key allows; repeat the option for several.",
            show_default=" ".join(sorted(DEFAULT_SCOPES)),
        ),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(min=1, help="Days until the key expires.", show_default="never"),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Create an API key and print it. It is not shown again."""
    if not _TENANT.fullmatch(tenant):
        raise BadInput(
            "invalid_option",
            "A tenant's name has 1 to 128 small letters, digits, dots, dashes and underscores.",
        )
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise BadInput("invalid_option", f"A name has 1 to {MAX_NAME} printable characters.")
    lifetime = None if days is None else timedelta(days=days)
    with open_as_operator(data_dir) as (settings, ledger):
        minted = _minted(settings)
        _show(
            minted,
            ledger.api_keys.add(minted, tenant, name, frozenset(scope or DEFAULT_SCOPES), lifetime),
        )


@app.command("list")
def list_keys(*, tenant: Tenant = DEFAULT_TENANT, data_dir: DataDir = None) -> None:
    """List the keys of a tenant, expired ones included."""
    with open_as_operator(data_dir) as (_, ledger):
        found = ledger.api_keys.list_all(tenant)
    rows = [
        (
            key.id,
            key.name,
            ",".join(sorted(key.scopes)),
            f"{key.created_at:%Y-%m-%d %H:%M}",
            "never" if key.expires_at is None else f"{key.expires_at:%Y-%m-%d %H:%M}",
        )
        for key in found
    ]
    print_table(("id", "name", "scopes", "created", "expires"), rows)


@app.command()
def rotate(
    key_id: KeyId,
    *,
    tenant: Tenant = DEFAULT_TENANT,
    grace_hours: Annotated[
        int, typer.Option(min=0, help="Hours until the old key expires.")
    ] = ROTATION_GRACE_HOURS,
    data_dir: DataDir = None,
) -> None:
    """Create a key with the same name and scopes; the old one expires after a while."""
    with open_as_operator(data_dir) as (settings, ledger):
        _require(ledger, tenant, key_id)
        minted = _minted(settings)
        grace = timedelta(hours=grace_hours)
        _show(minted, ledger.api_keys.rotate(tenant, key_id, minted, grace))


@app.command()
def revoke(key_id: KeyId, *, tenant: Tenant = DEFAULT_TENANT, data_dir: DataDir = None) -> None:
    """Revoke a key, effective at once."""
    with open_as_operator(data_dir) as (_, ledger):
        _require(ledger, tenant, key_id)
        ledger.api_keys.revoke(tenant, key_id, timedelta(0))


def _require(ledger: Ledger, tenant: str, key_id: str) -> None:
    """Raise NotFound if the tenant has no such key; HTTP clients are told less."""
    if all(key.id != key_id for key in ledger.api_keys.list_all(tenant)):
        raise NotFound(f"{tenant} has no key {key_id!r}.")


def _minted(settings: Settings) -> NewApiKey:
    return api_keys.generate(pepper(read_or_make_master(settings.master_secret)))


def _show(minted: NewApiKey, key: ApiKey) -> None:
    typer.echo(f"Key {key.id} of {key.tenant}; it is shown only now:", err=True)
    typer.echo(minted.text)
