"""``photoward keys`` and ``audit``: without a server."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import pytest

from photoward.api.cli import main
from photoward.core import api_keys
from photoward.core.api_keys import DEFAULT_SCOPES, TENANT_SCOPES
from photoward.core.key_derivation import pepper as pepper_of
from photoward.core.key_derivation import read_or_make_master
from photoward.core.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from photoward.core.ledger import Ledger
    from tests.api.cli.conftest import Command


@pytest.fixture
def keys(command: Command) -> Command:
    return partial(command, "keys")


def opens(tmp_path: Path, ledger: Ledger, text: str) -> api_keys.ApiKey | None:
    pepper = pepper_of(read_or_make_master(Settings(data_dir=tmp_path).master_secret))
    key = ledger.api_keys.get_active(api_keys.parse_id(text) or "")
    return key if key and api_keys.matches(text, key, pepper) else None


def test_a_key_is_shown_once_and_opens(keys: Command, tmp_path: Path, ledger: Ledger) -> None:
    code, text, _ = keys("add", "laptop")
    assert code == 0
    found = opens(tmp_path, ledger, text)
    assert found is not None
    assert (found.tenant, found.name, found.scopes) == ("default", "laptop", DEFAULT_SCOPES)
    assert found.expires_at is None
    assert text not in keys("list")[1]
    assert found.id in keys("list")[1]


def test_scopes_tenant_and_days(keys: Command, tmp_path: Path, ledger: Ledger) -> None:
    scopes = [word for scope in TENANT_SCOPES for word in ("--scope", scope)]
    _, text, _ = keys("add", "boss", "--tenant", "alice", *scopes, "--days", "2")
    found = opens(tmp_path, ledger, text)
    assert found is not None
    assert (found.tenant, found.scopes) == ("alice", TENANT_SCOPES)
    assert found.expires_at is not None
    assert (found.expires_at - found.created_at).days == 2
    assert found.id not in keys("list")[1], "it is another tenant's"


def test_rotating_leaves_both_for_a_while(keys: Command, tmp_path: Path, ledger: Ledger) -> None:
    _, old, _ = keys("add", "laptop")
    old_id = api_keys.parse_id(old) or ""
    _, new, _ = keys("rotate", old_id, "--grace-hours", "1")
    assert opens(tmp_path, ledger, old)
    assert opens(tmp_path, ledger, new)
    assert keys("revoke", old_id)[0] == 0
    assert not opens(tmp_path, ledger, old)
    assert opens(tmp_path, ledger, new)


@pytest.mark.parametrize(
    "arguments",
    [
        ("add", ""),
        ("add", "a\nb"),
        ("add", "a", "--tenant", "../x"),
        ("add", "a", "--days", "0"),
        ("revoke", "0" * 16),
        ("rotate", "0" * 16),
        ("add", "a", "--scope", "root"),
    ],
)
def test_what_cannot_be_is_refused(arguments: tuple[str, ...], keys: Command) -> None:
    code, out, _ = keys(*arguments)
    assert (code, out) == (2, "")


def test_the_operator_reads_who_did_what(
    keys: Command, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    keys("add", "laptop", "--tenant", "alice")
    with pytest.raises(SystemExit):
        main(["tenants", "quota", "bob", "--megapixels", "50"])
    capsys.readouterr()
    (made,) = ledger.api_keys.list_all("alice")

    def audit(*arguments: str) -> list[str]:
        with pytest.raises(SystemExit) as caught:
            main(["audit", *arguments])
        assert caught.value.code == 0
        return capsys.readouterr().out.splitlines()

    first, second = audit()
    assert f"alice  key.create  {made.id}  read,write  success  operator" in first
    assert "bob  tenant.set_quota  -  50 megapixels a day  success  operator" in second
    (told,) = map(json.loads, audit("--tenant", "bob", "--json"))
    assert (told["action"], told["actor"]["name"]) == ("tenant.set_quota", "operator")
