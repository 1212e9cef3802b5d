"""What every ledger tells of the whole installation."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from photoward.core import api_keys
from photoward.core.api_keys import DEFAULT_SCOPES
from photoward.core.jobs import Priority, State, new_id
from photoward.core.overview import HOURS, QueueLength
from tests.support.samples import added, claimed, failure, options, result, source

if TYPE_CHECKING:
    from photoward.core.ledger import Ledger
    from photoward.core.overview import Overview

MINUTE = timedelta(minutes=1)


def overview(ledger: Ledger) -> Overview:
    return ledger.installation.overview(2 * MINUTE)


def test_nothing_was_submitted(ledger: Ledger) -> None:
    found = overview(ledger)
    assert found.queue == dict.fromkeys(Priority, QueueLength())
    assert (found.processing, found.workers, found.finished_per_minute) == (0, 0, 0)
    assert len(found.hours) == HOURS
    assert sum(hour.megapixels for hour in found.hours) == 0
    assert found.failures == []
    assert ledger.installation.list_tenants(after=None, limit=9) == []


def test_the_queue_has_a_length_and_an_age(ledger: Ledger) -> None:
    before = datetime.now(UTC)
    first, second = added(ledger, "alice"), added(ledger, "bob")
    batch = ledger.batches.add(new_id(), "bob", "", {})
    third = ledger.items.add(new_id(), "bob", options(), source(), "sem/32", batch_id=batch.id)
    queue = overview(ledger).queue
    single = queue[Priority.INTERACTIVE]
    assert single == QueueLength(2, 2 * first.source.megapixels, first.created_at)
    assert single.oldest
    assert single.oldest >= before - MINUTE
    assert queue[Priority.BULK] == QueueLength(1, third.source.megapixels, third.created_at)
    assert second.created_at >= first.created_at


def test_what_became_of_the_photos_of_the_last_hours(ledger: Ledger) -> None:
    ids = [added(ledger, tenant).id for tenant in ("alice", "bob", "bob", "bob", "bob")]
    token, taken = claimed(ledger, limit=4)
    assert overview(ledger).processing == len(taken) == 4
    done, bad, worse, gone = (item.id for item in taken)
    ledger.items.complete(token, [result(done)])
    ledger.items.fail(token, [failure(bad), failure(worse)])
    ledger.items.delete(next(item.tenant for item in taken if item.id == worse), worse)
    ledger.workers.record_heartbeat("one")
    found = overview(ledger)
    now_hour = found.hours[-1] if found.hours[-1].counts else found.hours[-2]
    assert dict(now_hour.counts) == {
        State.DONE: 1, State.FAILED: 2, State.LEASED: 1, State.QUEUED: 1,
    }  # fmt: skip
    assert now_hour.start.minute == 0
    assert now_hour.megapixels > 0
    (reason,) = found.failures
    assert (reason.code, reason.count) == (failure(bad).code, 2), "one that was deleted counts"
    assert found.finished_per_minute == 3 / 5
    assert (found.processing, found.workers) == (1, 1)
    assert ledger.installation.overview(timedelta(0)).workers == 0
    assert gone in ids


def test_each_tenant_has_its_own_figures(ledger: Ledger) -> None:
    mine = added(ledger, "alice")
    added(ledger, "bob")
    ledger.tenants.set_quota("alice", 50)
    ledger.tenants.set_weight("bob", 3)
    for lifetime in (None, timedelta(0)):
        key = api_keys.generate(os.urandom(32))
        ledger.api_keys.add(key, "bob", "x", DEFAULT_SCOPES, lifetime)
    alice, bob = ledger.installation.list_tenants(after=None, limit=9)
    assert (alice.id, alice.weight, alice.active_keys) == ("alice", 1, 0)
    assert (alice.usage.quota, alice.usage.megapixels) == (50, mine.source.megapixels)
    assert alice.usage == ledger.tenants.usage("alice")
    assert alice.queued == QueueLength(1, mine.source.megapixels, mine.created_at)
    assert alice.counts == {State.QUEUED: 1}
    assert (bob.id, bob.weight, bob.active_keys, bob.usage.quota) == ("bob", 3, 1, None)
    assert ledger.installation.list_tenants(after="alice", limit=9) == [bob]
    assert ledger.installation.list_tenants(after=None, limit=1) == [alice]
