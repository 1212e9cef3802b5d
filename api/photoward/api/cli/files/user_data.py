"""The user's data folder: the master secret of ``photoward protect``, and records of outputs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from photoward.api.cli import console
from photoward.api.cli.configuration import settings_from
from photoward.core.api_keys import DEFAULT_TENANT
from photoward.core.errors import Unavailable

if TYPE_CHECKING:
    from photoward.core.settings import Settings


def folder() -> Path:
    """The folder ``photoward`` in the user's data folder (XDG Base Directory Specification 0.8).

    Raises:
        Unavailable: the user has no home folder.
    """
    base = settings_from().xdg_data_home
    try:
        return (base if base and base.is_absolute() else Path.home() / ".local/share") / "photoward"
    except RuntimeError:
        raise Unavailable("This user has no home folder: XDG_DATA_HOME names another.") from None


def settings(data_dir: Path | None) -> Settings:
    """Settings with the given data folder, or else the user's.

    A secret in the working directory's data folder precedes the user's: earlier files were
    protected with it.

    Raises:
        BadInput: as ``settings_from``.
        Unavailable: as ``folder``.
    """
    found = settings_from(data_dir=data_dir)
    if "data_dir" in found.model_fields_set:
        return found
    if (found.data_dir / "master.secret").exists():
        console.print_line(
            f"The secret is that of {found.data_dir.absolute()}, as before; elsewhere it is that "
            f"of {folder()}, unless --data-dir names another."
        )
        return found
    return settings_from(data_dir=folder())


def secret(of: Settings) -> bytes:
    """The secret that noise is derived from; prints where a new one was created.

    Raises:
        Unavailable: it cannot be read or made.
    """
    from photoward.core.key_derivation import read_or_make_master, tenant_secret
    from photoward.core.ledger import open_ledger

    new = not of.master_secret.exists()
    ledger = open_ledger(of)
    try:
        found = tenant_secret(
            read_or_make_master(of.master_secret), ledger.tenants.salt(DEFAULT_TENANT)
        )
    finally:
        ledger.close()
    if new:
        console.print_line(
            f"A secret was made in {of.master_secret.parent}. Keep a copy of that folder: with it "
            "the same photo gets the same noise, and who has it can compute the noise."
        )
    return found
