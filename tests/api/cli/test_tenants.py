"""``photoward tenants``: quota, weight and erasure, without a server."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from photoward.core.object_keys import original_key
from photoward.core.settings import Settings
from photoward.core.storage import open_store
from tests.support.samples import HOUR, added

if TYPE_CHECKING:
    from pathlib import Path

    from photoward.core.ledger import Ledger
    from tests.api.cli.conftest import Command


@pytest.fixture
def tenants(command: Command) -> Command:
    return partial(command, "tenants")


def test_a_quota_is_set_told_and_taken_away(tenants: Command, ledger: Ledger) -> None:
    assert "of no limit" in tenants("quota", "alice")[1]
    printed = tenants("quota", "alice", "--megapixels", "50")[1]
    assert "0.0 megapixels in a day, of 50" in printed
    assert ledger.tenants.usage("alice").quota == 50
    assert tenants("quota", "alice", "--unlimited")[0] == 0
    assert ledger.tenants.usage("alice").quota is None
    assert tenants("quota", "alice", "--unlimited", "--megapixels", "1")[0] == 2


def test_a_tenants_weight_is_its_share(tenants: Command, ledger: Ledger) -> None:
    assert tenants("weight", "alice", "3")[0] == 0
    for tenant in ("bob", "alice"):
        for _ in range(12):
            added(ledger, tenant)
    first = ledger.items.claim(limit=12, max_megapixels=99, lease=HOUR)
    assert 8 <= [item.tenant for item in first].count("alice") <= 9
    assert tenants("weight", "alice", "0")[0] == 2


def test_an_erased_tenant_leaves_no_object(
    tenants: Command, tmp_path: Path, ledger: Ledger
) -> None:
    store = open_store(Settings(data_dir=tmp_path))
    items = {name: added(ledger, name) for name in ("alice", "bob")}
    for name, item in items.items():
        store.put(original_key(name, item.id), b"photo")
    code, _, said = tenants("erase", "alice", "--yes")
    assert code == 0
    assert "1 photos of alice" in said
    assert [key for key, _ in store.keys("")] == [original_key("bob", items["bob"].id)]
