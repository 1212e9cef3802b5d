"""What every audit log promises."""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from photoward.core import api_keys
from photoward.core.api_keys import USUAL
from photoward.core.audit import OPERATOR, Actor, Deed, act_as
from photoward.core.errors import NotFound
from photoward.core.jobs import new_id
from photoward.core.webhooks import Event
from tests.support.samples import added

if TYPE_CHECKING:
    from collections.abc import Iterator

    from photoward.core.ports import Ledger

PEPPER = os.urandom(32)
NOW = timedelta(0)
CALLER = Actor("0123456789abcdef", "6f1c7e5e-0000-4000-8000-000000000000", "2001:db8::7")


@pytest.fixture(autouse=True)
def acting() -> Iterator[None]:
    act_as(CALLER)
    yield
    act_as(OPERATOR)


def made(ledger: Ledger, tenant: str = "alice") -> str:
    minted = api_keys.mint(PEPPER)
    return ledger.add_key(minted, tenant, "unmistakable name", USUAL, None).id


def told(ledger: Ledger, tenant: str | None = "alice") -> list[tuple[str, str | None, str | None]]:
    found = ledger.entries(tenant, after=0, limit=100)
    return [(entry.deed.value, entry.thing, entry.detail) for entry in found]


def test_every_deed_is_kept_with_who_did_it(ledger: Ledger) -> None:
    key = made(ledger)
    fresh = ledger.rotate_key("alice", key, api_keys.mint(PEPPER), NOW).id
    ledger.end_key("alice", fresh, NOW)
    ledger.set_quota("alice", 2500)
    ledger.set_quota("alice", None)
    ledger.set_weight("alice", 0.5)
    hook = ledger.add_webhook(
        secrets.token_hex(8), "alice", "https://a.example/secret", {Event.IMAGE_DONE}
    ).id
    ledger.rotate_webhook("alice", hook, NOW)
    ledger.remove_webhook("alice", hook)
    image = added(ledger, "alice").id
    ledger.cancel("alice", image)
    batch = ledger.add_batch(new_id(), "alice", "unmistakable name", {"label": "cat"}).id
    added(ledger, "alice", batch=batch)
    ledger.cancel_batch("alice", batch)
    assert told(ledger) == [
        ("key.made", key, "read,write"), ("key.rotated", key, fresh), ("key.ended", fresh, None),
        ("quota.set", None, "2500 megapixels a day"), ("quota.set", None, "no limit"),
        ("weight.set", None, "0.5"), ("webhook.made", hook, None), ("webhook.rotated", hook, None),
        ("webhook.removed", hook, None), ("image.deleted", image, None),
        ("batch.cancelled", batch, "1 photos"),
    ]  # fmt: skip
    entries = ledger.entries("alice", after=0, limit=100)
    assert {(entry.actor, entry.outcome, entry.tenant) for entry in entries} == {
        (CALLER, "done", "alice")
    }
    assert all(abs(datetime.now(UTC) - entry.at) < timedelta(seconds=30) for entry in entries)


def test_what_did_not_happen_is_not_told(ledger: Ledger) -> None:
    for attempt in (
        lambda: ledger.end_key("alice", "0" * 16, NOW),
        lambda: ledger.rotate_webhook("alice", "0" * 16, NOW),
        lambda: ledger.cancel("alice", new_id()),
        lambda: ledger.cancel_batch("alice", new_id()),
    ):
        with pytest.raises(NotFound):
            attempt()
    ledger.cancel("alice", added(ledger, "alice").id, asked=False)
    assert told(ledger, None) == []


def test_a_deed_that_fails_takes_its_entry_along(ledger: Ledger) -> None:
    hook = secrets.token_hex(8)
    ledger.add_webhook(hook, "alice", "https://a.example/x", {Event.IMAGE_DONE})
    with pytest.raises(ValueError, match="contradict"):  # its entry is written first
        ledger.add_webhook(hook, "alice", "https://a.example/x", {Event.IMAGE_DONE})
    assert told(ledger) == [("webhook.made", hook, None)]


def test_it_is_read_page_by_page_and_by_tenant(ledger: Ledger) -> None:
    mine = [made(ledger), made(ledger)]
    theirs = made(ledger, "bob")
    mine.append(made(ledger))
    first = ledger.entries("alice", after=0, limit=2)
    rest = ledger.entries("alice", after=first[-1].seq, limit=2)
    assert [entry.thing for entry in first + rest] == mine
    assert [entry.thing for entry in ledger.entries("bob", after=0, limit=9)] == [theirs]
    assert len(ledger.entries(None, after=0, limit=9)) == 4


def test_a_refused_key_is_told_to_whom_it_belongs(ledger: Ledger) -> None:
    key = made(ledger)
    ledger.end_key("alice", key, NOW)
    ledger.note_refusal("unauthenticated", key)
    ledger.note_refusal("unauthenticated", "0" * 16)
    ledger.note_refusal("unauthenticated", None)
    refused = [one for one in ledger.entries(None, after=0, limit=9) if one.outcome != "done"]
    assert [(one.tenant, one.thing) for one in refused] == [
        ("alice", key), (None, None), (None, None)
    ]  # fmt: skip
    assert {(one.deed, one.outcome) for one in refused} == {
        (Deed.ACCESS_REFUSED, "unauthenticated")
    }


def test_of_an_erased_tenant_only_its_erasure_is_told(ledger: Ledger) -> None:
    made(ledger)
    other = made(ledger, "bob")
    ledger.erase("alice")
    ledger.erase("nobody")
    assert told(ledger, None) == [("key.made", other, "read,write"), ("tenant.erased", None, None)]


def test_old_entries_are_forgotten(ledger: Ledger) -> None:
    made(ledger)
    assert ledger.prune_audit(timedelta(days=1)) == 0
    assert ledger.prune_audit(NOW) == 1
    assert told(ledger, None) == []
