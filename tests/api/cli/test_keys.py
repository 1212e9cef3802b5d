"""``photoward keys``: keys without a server, and the end of a tenant."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from photoward.api.cli import main
from photoward.core import api_keys
from photoward.core.api_keys import ALL, USUAL
from photoward.core.key_derivation import pepper as pepper_of
from photoward.core.key_derivation import read_or_make_master
from photoward.core.ledger import open_ledger
from photoward.core.object_keys import original_key
from photoward.core.settings import Settings
from photoward.core.storage import open_store
from tests.support.samples import HOUR, added

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from photoward.core.ports import Ledger

    Keys = Callable[..., tuple[object, str, str]]


@pytest.fixture
def keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Keys:
    """Runs the command on a folder: exit code, standard output, standard error."""
    os.environ["PHOTOWARD_DATA_DIR"] = str(tmp_path)

    def run(*arguments: str) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["keys", *arguments])
        said = capsys.readouterr()
        return caught.value.code, said.out.strip(), said.err

    return run


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = open_ledger(Settings(data_dir=tmp_path))
    yield opened
    opened.close()


def opens(tmp_path: Path, ledger: Ledger, text: str) -> api_keys.ApiKey | None:
    pepper = pepper_of(read_or_make_master(Settings(data_dir=tmp_path).master_secret))
    key = ledger.live_key(api_keys.id_of(text) or "")
    return key if key and api_keys.fits(text, key, pepper) else None


def test_a_key_is_shown_once_and_opens(keys: Keys, tmp_path: Path, ledger: Ledger) -> None:
    code, text, _ = keys("add", "laptop")
    assert code == 0
    found = opens(tmp_path, ledger, text)
    assert found is not None
    assert (found.tenant, found.name, found.scopes) == ("default", "laptop", USUAL)
    assert found.expires_at is None
    assert text not in keys("list")[1]
    assert found.id in keys("list")[1]


def test_scopes_tenant_and_days(keys: Keys, tmp_path: Path, ledger: Ledger) -> None:
    scopes = [word for scope in ALL for word in ("--scope", scope)]
    _, text, _ = keys("add", "boss", "--tenant", "alice", *scopes, "--days", "2")
    found = opens(tmp_path, ledger, text)
    assert found is not None
    assert (found.tenant, found.scopes) == ("alice", ALL)
    assert found.expires_at is not None
    assert (found.expires_at - found.created_at).days == 2
    assert found.id not in keys("list")[1], "it is another tenant's"


def test_rotating_leaves_both_for_a_while(keys: Keys, tmp_path: Path, ledger: Ledger) -> None:
    _, old, _ = keys("add", "laptop")
    old_id = api_keys.id_of(old) or ""
    _, new, _ = keys("rotate", old_id, "--grace-hours", "1")
    assert opens(tmp_path, ledger, old)
    assert opens(tmp_path, ledger, new)
    assert keys("end", old_id)[0] == 0
    assert not opens(tmp_path, ledger, old)
    assert opens(tmp_path, ledger, new)


@pytest.mark.parametrize(
    "arguments",
    [("add", ""), ("add", "a\nb"), ("add", "a", "--tenant", "../x"), ("add", "a", "--days", "0"),
     ("end", "0" * 16), ("rotate", "0" * 16), ("add", "a", "--scope", "root")],
)  # fmt: skip
def test_what_cannot_be_is_refused(arguments: tuple[str, ...], keys: Keys) -> None:
    code, out, _ = keys(*arguments)
    assert (code, out) == (2, "")


def test_a_quota_is_set_told_and_taken_away(keys: Keys, ledger: Ledger) -> None:
    assert "of no limit" in keys("quota", "alice")[1]
    assert "0.0 megapixels in a day, of 50" in keys("quota", "alice", "--megapixels", "50")[1]
    assert ledger.usage("alice").quota == 50
    assert keys("quota", "alice", "--unlimited")[0] == 0
    assert ledger.usage("alice").quota is None
    assert keys("quota", "alice", "--unlimited", "--megapixels", "1")[0] == 2


def test_a_tenants_share_is_set(keys: Keys, ledger: Ledger) -> None:
    assert keys("share", "alice", "3")[0] == 0
    for tenant in ("bob", "alice"):
        for _ in range(12):
            added(ledger, tenant)
    first = ledger.claim(limit=12, max_megapixels=99, lease=HOUR)
    assert 8 <= [item.tenant for item in first].count("alice") <= 9
    assert keys("share", "alice", "0")[0] == 2


def test_an_erased_tenant_leaves_no_object(keys: Keys, tmp_path: Path, ledger: Ledger) -> None:
    store = open_store(Settings(data_dir=tmp_path))
    items = {name: added(ledger, name) for name in ("alice", "bob")}
    for name, item in items.items():
        store.put(original_key(name, item.id), b"photo")
    code, _, said = keys("erase-tenant", "alice", "--yes")
    assert code == 0
    assert "1 photos of alice" in said
    assert [key for key, _ in store.keys("")] == [original_key("bob", items["bob"].id)]


def test_the_operator_reads_who_did_what(
    keys: Keys, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    keys("add", "laptop", "--tenant", "alice")
    keys("quota", "bob", "--megapixels", "50")
    (made,) = ledger.keys("alice")

    def audit(*arguments: str) -> list[str]:
        with pytest.raises(SystemExit) as caught:
            main(["audit", *arguments])
        assert caught.value.code == 0
        return capsys.readouterr().out.splitlines()

    first, second = audit()
    assert f"alice  key.made  {made.id}  read,write  done  operator" in first
    assert "bob  quota.set  -  50 megapixels a day  done  operator" in second
    (told,) = map(json.loads, audit("--tenant", "bob", "--json"))
    assert (told["deed"], told["actor"]["name"]) == ("quota.set", "operator")
