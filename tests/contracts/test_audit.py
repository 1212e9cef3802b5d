"""What every audit log promises."""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from photoward.core import api_keys
from photoward.core.api_keys import DEFAULT_SCOPES
from photoward.core.audit import OPERATOR, Actor, AuditAction, set_actor
from photoward.core.errors import NotFound
from photoward.core.jobs import new_id
from photoward.core.webhooks import Event
from tests.support.samples import added

if TYPE_CHECKING:
    from collections.abc import Iterator

    from photoward.core.ledger import Ledger

PEPPER = os.urandom(32)
NOW = timedelta(0)
CALLER = Actor("0123456789abcdef", "6f1c7e5e-0000-4000-8000-000000000000", "2001:db8::7")


@pytest.fixture(autouse=True)
def acting() -> Iterator[None]:
    set_actor(CALLER)
    yield
    set_actor(OPERATOR)


def made(ledger: Ledger, tenant: str = "alice") -> str:
    minted = api_keys.generate(PEPPER)
    return ledger.api_keys.add(minted, tenant, "unmistakable name", DEFAULT_SCOPES, None).id


def told(ledger: Ledger, tenant: str | None = "alice") -> list[tuple[str, str | None, str | None]]:
    found = ledger.audit.list_entries(tenant, after=0, limit=100)
    return [(entry.action.value, entry.resource_id, entry.detail) for entry in found]


def test_the_newest_come_first_where_that_is_asked_for(ledger: Ledger) -> None:
    keys = [made(ledger) for _ in range(3)]
    first = ledger.audit.list_entries("alice", after=0, limit=2, newest_first=True)
    assert [entry.resource_id for entry in first] == [keys[2], keys[1]]
    rest = ledger.audit.list_entries("alice", after=first[-1].seq, limit=2, newest_first=True)
    assert [entry.resource_id for entry in rest] == [keys[0]]


def test_every_deed_is_kept_with_who_did_it(ledger: Ledger) -> None:
    key = made(ledger)
    fresh = ledger.api_keys.rotate("alice", key, api_keys.generate(PEPPER), NOW).id
    ledger.api_keys.revoke("alice", fresh, NOW)
    ledger.tenants.set_quota("alice", 2500)
    ledger.tenants.set_quota("alice", None)
    ledger.tenants.set_weight("alice", 0.5)
    hook = ledger.webhooks.add(
        secrets.token_hex(8), "alice", "https://a.example/secret", {Event.IMAGE_SUCCEEDED}
    ).id
    ledger.webhooks.rotate_secret("alice", hook, NOW)
    ledger.webhooks.delete("alice", hook)
    image = added(ledger, "alice").id
    ledger.items.delete("alice", image)
    batch = ledger.batches.add(new_id(), "alice", "unmistakable name", {"label": "cat"}).id
    added(ledger, "alice", batch=batch)
    ledger.batches.cancel("alice", batch)
    assert told(ledger) == [
        ("key.create", key, "read,write"),
        ("key.rotate", key, fresh),
        ("key.revoke", fresh, None),
        ("tenant.set_quota", None, "2500 megapixels a day"),
        ("tenant.set_quota", None, "no limit"),
        ("tenant.set_weight", None, "0.5"),
        ("webhook.create", hook, None),
        ("webhook.rotate", hook, None),
        ("webhook.delete", hook, None),
        ("image.delete", image, None),
        ("batch.cancel", batch, "1 photos"),
    ]
    entries = ledger.audit.list_entries("alice", after=0, limit=100)
    assert {(entry.actor, entry.outcome, entry.tenant) for entry in entries} == {
        (CALLER, "success", "alice")
    }
    assert all(abs(datetime.now(UTC) - entry.at) < timedelta(seconds=30) for entry in entries)


def test_what_did_not_happen_is_not_told(ledger: Ledger) -> None:
    for attempt in (
        lambda: ledger.api_keys.revoke("alice", "0" * 16, NOW),
        lambda: ledger.webhooks.rotate_secret("alice", "0" * 16, NOW),
        lambda: ledger.items.delete("alice", new_id()),
        lambda: ledger.batches.cancel("alice", new_id()),
    ):
        with pytest.raises(NotFound):
            attempt()
    ledger.items.delete("alice", added(ledger, "alice").id, audited=False)
    assert told(ledger, None) == []


def test_a_deed_that_fails_takes_its_entry_along(ledger: Ledger) -> None:
    hook = secrets.token_hex(8)
    ledger.webhooks.add(hook, "alice", "https://a.example/x", {Event.IMAGE_SUCCEEDED})
    with pytest.raises(ValueError, match="contradict"):  # its entry is written first
        ledger.webhooks.add(hook, "alice", "https://a.example/x", {Event.IMAGE_SUCCEEDED})
    assert told(ledger) == [("webhook.create", hook, None)]


def test_it_is_read_page_by_page_and_by_tenant(ledger: Ledger) -> None:
    mine = [made(ledger), made(ledger)]
    theirs = made(ledger, "bob")
    mine.append(made(ledger))
    first = ledger.audit.list_entries("alice", after=0, limit=2)
    rest = ledger.audit.list_entries("alice", after=first[-1].seq, limit=2)
    assert [entry.resource_id for entry in first + rest] == mine
    assert [entry.resource_id for entry in ledger.audit.list_entries("bob", after=0, limit=9)] == [
        theirs
    ]
    assert len(ledger.audit.list_entries(None, after=0, limit=9)) == 4


def test_a_refused_key_is_told_to_whom_it_belongs(ledger: Ledger) -> None:
    key = made(ledger)
    ledger.api_keys.revoke("alice", key, NOW)
    ledger.audit.record_denial("unauthenticated", key)
    ledger.audit.record_denial("unauthenticated", "0" * 16)
    ledger.audit.record_denial("unauthenticated", None)
    refused = [
        one for one in ledger.audit.list_entries(None, after=0, limit=9) if one.outcome != "success"
    ]
    assert [(one.tenant, one.resource_id) for one in refused] == [
        ("alice", key), (None, None), (None, None)
    ]  # fmt: skip
    assert {(one.action, one.outcome) for one in refused} == {
        (AuditAction.ACCESS_DENY, "unauthenticated")
    }


def test_of_an_erased_tenant_only_its_erasure_is_told(ledger: Ledger) -> None:
    made(ledger)
    other = made(ledger, "bob")
    ledger.tenants.erase("alice")
    ledger.tenants.erase("nobody")
    assert told(ledger, None) == [("key.create", other, "read,write"), ("tenant.erase", None, None)]


def test_old_entries_are_forgotten(ledger: Ledger) -> None:
    made(ledger)
    assert ledger.audit.prune(timedelta(days=1)) == 0
    assert ledger.audit.prune(NOW) == 1
    assert told(ledger, None) == []
