"""What every keyring promises."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from photoward.core import api_keys
from photoward.core.api_keys import DEFAULT_SCOPES, TENANT_SCOPES, NewApiKey, Scope
from photoward.core.errors import NotFound, Overloaded
from photoward.core.jobs import QuotaUsage, State, new_id
from tests.support.samples import added, claimed, options, result, source

if TYPE_CHECKING:
    from photoward.core.api_keys import ApiKey
    from photoward.core.ledger import Ledger

PEPPER = os.urandom(32)
NOW, HOUR = timedelta(0), timedelta(hours=1)


def made(
    ledger: Ledger, tenant: str = "alice", lifetime: timedelta | None = None
) -> tuple[NewApiKey, ApiKey]:
    minted = api_keys.generate(PEPPER)
    return minted, ledger.api_keys.add(minted, tenant, "laptop", DEFAULT_SCOPES, lifetime)


def test_a_key_is_kept_as_it_was_made_but_for_its_secret(ledger: Ledger) -> None:
    minted, key = made(ledger)
    assert ledger.api_keys.get_active(minted.id) == key
    assert (key.tenant, key.name, key.scopes, key.expires_at) == (
        "alice",
        "laptop",
        DEFAULT_SCOPES,
        None,
    )
    assert minted.text not in repr(key)
    assert api_keys.matches(minted.text, key, PEPPER)
    assert not api_keys.matches(api_keys.generate(PEPPER).text, key, PEPPER)
    assert not api_keys.matches(minted.text, key, bytes(32))


def test_a_key_that_has_expired_is_none(ledger: Ledger) -> None:
    assert not ledger.api_keys.any_active()
    minted, key = made(ledger, lifetime=NOW)
    assert ledger.api_keys.get_active(minted.id) is None
    assert not ledger.api_keys.any_active()
    assert ledger.api_keys.list_all("alice") == [key]
    live, _ = made(ledger, lifetime=HOUR)
    assert ledger.api_keys.get_active(live.id)
    assert ledger.api_keys.any_active()


def test_a_key_ends_when_it_is_told_to_or_earlier(ledger: Ledger) -> None:
    first, _ = made(ledger)
    ended = ledger.api_keys.revoke("alice", first.id, HOUR)
    assert ended.expires_at is not None
    assert ledger.api_keys.get_active(first.id) == ended, "it opens for an hour more"
    assert ledger.api_keys.revoke("alice", first.id, 2 * HOUR) == ended, "no longer than before"
    ledger.api_keys.revoke("alice", first.id, NOW)
    assert ledger.api_keys.get_active(first.id) is None


def test_a_rotated_key_has_a_successor_of_its_kind(ledger: Ledger) -> None:
    old, key = made(ledger, lifetime=HOUR)
    new = api_keys.generate(PEPPER)
    fresh = ledger.api_keys.rotate("alice", old.id, new, HOUR / 2)
    assert (fresh.id, fresh.name, fresh.scopes) == (new.id, key.name, key.scopes)
    assert fresh.expires_at is not None
    assert fresh.expires_at - fresh.created_at == HOUR
    ended = ledger.api_keys.get_active(old.id)
    assert ended is not None
    assert ended.expires_at is not None
    assert ended.expires_at < fresh.expires_at
    with pytest.raises(NotFound):
        ledger.api_keys.rotate("bob", old.id, api_keys.generate(PEPPER), HOUR)
    assert {one.id for one in ledger.api_keys.list_all("alice")} == {old.id, new.id}


def test_a_foreign_key_is_a_missing_one(ledger: Ledger) -> None:
    minted, key = made(ledger)
    for tenant, key_id in (("bob", minted.id), ("alice", "0" * 16)):
        with pytest.raises(NotFound):
            ledger.api_keys.revoke(tenant, key_id, NOW)
    assert ledger.api_keys.list_all("bob") == []
    assert ledger.api_keys.get_active(minted.id) == key


def test_all_scopes_come_back(ledger: Ledger) -> None:
    minted = api_keys.generate(PEPPER)
    for scopes in ({Scope.ADMIN}, TENANT_SCOPES):
        minted = api_keys.generate(PEPPER)
        ledger.api_keys.add(minted, "alice", "any", scopes, None)
        found = ledger.api_keys.get_active(minted.id)
        assert found is not None
        assert found.scopes == scopes


def test_a_quota_counts_megapixels_and_refuses_beyond(ledger: Ledger) -> None:
    assert ledger.tenants.usage("alice") == QuotaUsage(0.0, None)
    added(ledger, "alice")
    ledger.tenants.set_quota("alice", 2.5)
    second = added(ledger, "alice")
    added(ledger, "bob")
    with pytest.raises(Overloaded) as caught:
        added(ledger, "alice")
    assert caught.value.code == "over_quota"
    assert "1.00 megapixels; of 2.5 a day 2.00" in caught.value.detail
    assert added(ledger, "alice", width=500).source.width == 500
    ledger.items.delete("alice", second.id)
    assert ledger.tenants.usage("alice") == QuotaUsage(2.5, 2.5), (
        "what is deleted was used all the same"
    )
    assert ledger.tenants.quota_usage("alice") == QuotaUsage(2.5, 2.5)
    ledger.tenants.set_quota("alice", None)
    assert ledger.tenants.quota_usage("alice") is None
    added(ledger, "alice")


def test_two_who_come_at_once_do_not_share_the_last_megapixel(ledger: Ledger) -> None:
    ledger.tenants.set_quota("alice", 4)

    def hand_in(_: int) -> bool:
        try:
            added(ledger, "alice")
        except Overloaded:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(hand_in, range(12))) == 4


def test_of_an_erased_tenant_nothing_is_left_and_others_keep_all(ledger: Ledger) -> None:
    finished = ledger.items.add(new_id(), "alice", options(label="secret"), source(), "sem/32").id
    token, _ = claimed(ledger)
    ledger.items.complete(token, [result(finished)])
    waiting, other = added(ledger, "alice").id, added(ledger, "bob").id
    minted, _ = made(ledger)
    theirs, _ = made(ledger, "bob")
    batch = ledger.batches.add(new_id(), "alice", "secret holiday", {"label": "secret"})
    others_batch = ledger.batches.add(new_id(), "bob", "", {})
    salts = {name: ledger.tenants.salt(name) for name in ("alice", "bob")}
    erased = {item.id: item for item in ledger.tenants.erase("alice")}
    assert erased.keys() == {finished, waiting}
    assert erased[finished].output is not None, "so that its objects can be removed"
    for item_id in erased:
        with pytest.raises(NotFound):
            ledger.items.get("alice", item_id)
    with pytest.raises(NotFound):
        ledger.batches.get("alice", batch.id)
    assert ledger.batches.get("bob", others_batch.id) == others_batch
    assert ledger.api_keys.get_active(minted.id) is None
    assert ledger.api_keys.list_all("alice") == []
    assert ledger.tenants.salt("alice") != salts["alice"]
    assert ledger.tenants.salt("bob") == salts["bob"]
    assert ledger.items.get("bob", other).state is State.QUEUED
    assert ledger.api_keys.get_active(theirs.id)
    assert ledger.items.count_by_state() == {State.QUEUED: 1}
    assert ledger.tenants.erase("alice") == [], "twice does no harm"
    assert ledger.tenants.erase("nobody") == []
