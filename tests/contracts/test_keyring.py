"""What every keyring promises."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from photoward.core import api_keys
from photoward.core.api_keys import ALL, USUAL, Minted, Scope
from photoward.core.errors import NotFound, Overloaded
from photoward.core.jobs import State, Usage, new_id
from tests.support.samples import added, claimed, options, result, source

if TYPE_CHECKING:
    from photoward.core.api_keys import ApiKey
    from photoward.core.ports import Ledger

PEPPER = os.urandom(32)
NOW, HOUR = timedelta(0), timedelta(hours=1)


def made(
    ledger: Ledger, tenant: str = "alice", lifetime: timedelta | None = None
) -> tuple[Minted, ApiKey]:
    minted = api_keys.mint(PEPPER)
    return minted, ledger.add_key(minted, tenant, "laptop", USUAL, lifetime)


def test_a_key_is_kept_as_it_was_made_but_for_its_secret(ledger: Ledger) -> None:
    minted, key = made(ledger)
    assert ledger.live_key(minted.id) == key
    assert (key.tenant, key.name, key.scopes, key.expires_at) == ("alice", "laptop", USUAL, None)
    assert minted.text not in repr(key)
    assert api_keys.fits(minted.text, key, PEPPER)
    assert not api_keys.fits(api_keys.mint(PEPPER).text, key, PEPPER)
    assert not api_keys.fits(minted.text, key, bytes(32))


def test_a_key_that_has_expired_is_none(ledger: Ledger) -> None:
    assert not ledger.any_live_key()
    minted, key = made(ledger, lifetime=NOW)
    assert ledger.live_key(minted.id) is None
    assert not ledger.any_live_key()
    assert ledger.keys("alice") == [key]
    live, _ = made(ledger, lifetime=HOUR)
    assert ledger.live_key(live.id)
    assert ledger.any_live_key()


def test_a_key_ends_when_it_is_told_to_or_earlier(ledger: Ledger) -> None:
    first, _ = made(ledger)
    ended = ledger.end_key("alice", first.id, HOUR)
    assert ended.expires_at is not None
    assert ledger.live_key(first.id) == ended, "it opens for an hour more"
    assert ledger.end_key("alice", first.id, 2 * HOUR) == ended, "no longer than before"
    ledger.end_key("alice", first.id, NOW)
    assert ledger.live_key(first.id) is None


def test_a_rotated_key_has_a_successor_of_its_kind(ledger: Ledger) -> None:
    old, key = made(ledger, lifetime=HOUR)
    new = api_keys.mint(PEPPER)
    fresh = ledger.rotate_key("alice", old.id, new, HOUR / 2)
    assert (fresh.id, fresh.name, fresh.scopes) == (new.id, key.name, key.scopes)
    assert fresh.expires_at is not None
    assert fresh.expires_at - fresh.created_at == HOUR
    ended = ledger.live_key(old.id)
    assert ended is not None
    assert ended.expires_at is not None
    assert ended.expires_at < fresh.expires_at
    with pytest.raises(NotFound):
        ledger.rotate_key("bob", old.id, api_keys.mint(PEPPER), HOUR)
    assert {one.id for one in ledger.keys("alice")} == {old.id, new.id}


def test_a_foreign_key_is_a_missing_one(ledger: Ledger) -> None:
    minted, key = made(ledger)
    for tenant, key_id in (("bob", minted.id), ("alice", "0" * 16)):
        with pytest.raises(NotFound):
            ledger.end_key(tenant, key_id, NOW)
    assert ledger.keys("bob") == []
    assert ledger.live_key(minted.id) == key


def test_all_scopes_come_back(ledger: Ledger) -> None:
    minted = api_keys.mint(PEPPER)
    for scopes in ({Scope.ADMIN}, ALL):
        minted = api_keys.mint(PEPPER)
        ledger.add_key(minted, "alice", "any", scopes, None)
        found = ledger.live_key(minted.id)
        assert found is not None
        assert found.scopes == scopes


def test_a_quota_counts_megapixels_and_refuses_beyond(ledger: Ledger) -> None:
    assert ledger.usage("alice") == Usage(0.0, None)
    added(ledger, "alice")
    ledger.set_quota("alice", 2.5)
    second = added(ledger, "alice")
    added(ledger, "bob")
    with pytest.raises(Overloaded) as caught:
        added(ledger, "alice")
    assert caught.value.code == "over_quota"
    assert "1.00 megapixels; of 2.5 a day 2.00" in caught.value.detail
    assert added(ledger, "alice", width=500).source.width == 500
    ledger.cancel("alice", second.id)
    assert ledger.usage("alice") == Usage(2.5, 2.5), "what is deleted was used all the same"
    assert ledger.allowance("alice") == Usage(2.5, 2.5)
    ledger.set_quota("alice", None)
    assert ledger.allowance("alice") is None
    added(ledger, "alice")


def test_two_who_come_at_once_do_not_share_the_last_megapixel(ledger: Ledger) -> None:
    ledger.set_quota("alice", 4)

    def hand_in(_: int) -> bool:
        try:
            added(ledger, "alice")
        except Overloaded:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(hand_in, range(12))) == 4


def test_of_an_erased_tenant_nothing_is_left_and_others_keep_all(ledger: Ledger) -> None:
    finished = ledger.add(new_id(), "alice", options(label="secret"), source(), "sem/32").id
    token, _ = claimed(ledger)
    ledger.store(token, [result(finished)])
    waiting, other = added(ledger, "alice").id, added(ledger, "bob").id
    minted, _ = made(ledger)
    theirs, _ = made(ledger, "bob")
    batch = ledger.add_batch(new_id(), "alice", "secret holiday", {"label": "secret"})
    others_batch = ledger.add_batch(new_id(), "bob", "", {})
    salts = {name: ledger.tenant_salt(name) for name in ("alice", "bob")}
    erased = {item.id: item for item in ledger.erase("alice")}
    assert erased.keys() == {finished, waiting}
    assert erased[finished].output is not None, "so that its objects can be removed"
    for item_id in erased:
        with pytest.raises(NotFound):
            ledger.get("alice", item_id)
    with pytest.raises(NotFound):
        ledger.batch("alice", batch.id)
    assert ledger.batch("bob", others_batch.id) == others_batch
    assert ledger.live_key(minted.id) is None
    assert ledger.keys("alice") == []
    assert ledger.tenant_salt("alice") != salts["alice"]
    assert ledger.tenant_salt("bob") == salts["bob"]
    assert ledger.get("bob", other).state is State.QUEUED
    assert ledger.live_key(theirs.id)
    assert ledger.depth() == {State.QUEUED: 1}
    assert ledger.erase("alice") == [], "twice does no harm"
    assert ledger.erase("nobody") == []
