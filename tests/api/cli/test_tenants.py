"""``photoward tenants``: quota, weight and erasure, without a server."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from photoward.api.cli import main
from photoward.core.ledger import open_ledger
from photoward.core.object_keys import original_key
from photoward.core.settings import Settings
from photoward.core.storage import open_store
from tests.support.samples import HOUR, added

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from photoward.core.ledger import Ledger

    Tenants = Callable[..., tuple[object, str, str]]


@pytest.fixture
def tenants(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Tenants:
    """Runs the command on a folder: exit code, standard output, standard error."""
    os.environ["PHOTOWARD_DATA_DIR"] = str(tmp_path)

    def run(*arguments: str) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["tenants", *arguments])
        said = capsys.readouterr()
        return caught.value.code, said.out.strip(), said.err

    return run


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = open_ledger(Settings(data_dir=tmp_path))
    yield opened
    opened.close()


def test_a_quota_is_set_told_and_taken_away(tenants: Tenants, ledger: Ledger) -> None:
    assert "of no limit" in tenants("quota", "alice")[1]
    printed = tenants("quota", "alice", "--megapixels", "50")[1]
    assert "0.0 megapixels in a day, of 50" in printed
    assert ledger.tenants.usage("alice").quota == 50
    assert tenants("quota", "alice", "--unlimited")[0] == 0
    assert ledger.tenants.usage("alice").quota is None
    assert tenants("quota", "alice", "--unlimited", "--megapixels", "1")[0] == 2


def test_a_tenants_weight_is_its_share(tenants: Tenants, ledger: Ledger) -> None:
    assert tenants("weight", "alice", "3")[0] == 0
    for tenant in ("bob", "alice"):
        for _ in range(12):
            added(ledger, tenant)
    first = ledger.items.claim(limit=12, max_megapixels=99, lease=HOUR)
    assert 8 <= [item.tenant for item in first].count("alice") <= 9
    assert tenants("weight", "alice", "0")[0] == 2


def test_an_erased_tenant_leaves_no_object(
    tenants: Tenants, tmp_path: Path, ledger: Ledger
) -> None:
    store = open_store(Settings(data_dir=tmp_path))
    items = {name: added(ledger, name) for name in ("alice", "bob")}
    for name, item in items.items():
        store.put(original_key(name, item.id), b"photo")
    code, _, said = tenants("erase", "alice", "--yes")
    assert code == 0
    assert "1 photos of alice" in said
    assert [key for key, _ in store.keys("")] == [original_key("bob", items["bob"].id)]
