"""What every ledger promises of photos that are still to be fetched."""

from __future__ import annotations

import secrets
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from photoward.core.errors import BadInput, NotFound, Overloaded
from photoward.core.fetches import FetchRequest
from photoward.core.jobs import Failure, State, new_id
from photoward.core.ledger import webhooks
from photoward.core.webhooks import Event
from tests.support.samples import (
    HOUR,
    OVER,
    added,
    claimed,
    failure,
    options,
    result,
    sides,
    source,
)

if TYPE_CHECKING:
    from photoward.core.fetches import FetchJob
    from photoward.core.jobs import Batch, Item
    from photoward.core.ledger import Ledger

NOW = timedelta(0)


def made(ledger: Ledger, tenant: str = "alice") -> Batch:
    return ledger.batches.add(new_id(), tenant, "holiday", {})


def expected(place: str = "inbox/cat.png") -> FetchRequest:
    return FetchRequest(new_id(), "key", place, options(renditions=sides(640, 320)), "cat.png")


def expect(ledger: Ledger, batch: Batch, count: int = 1) -> list[FetchRequest]:
    wanted = [expected(f"inbox/{n}.png") for n in range(count)]
    ledger.fetches.enqueue(batch.tenant, batch.id, wanted)
    return wanted


def taken(ledger: Ledger, lease: timedelta = HOUR) -> FetchJob:
    arrival = ledger.fetches.claim(lease)
    assert arrival is not None
    return arrival


def arrive(ledger: Ledger, arrival: FetchJob) -> Item | None:
    return ledger.fetches.complete(arrival, arrival.options, source(), "sem/32")


def unreachable(arrival: FetchJob) -> Failure:
    return failure(arrival.item_id, "source_unreachable")


def test_what_is_expected_is_received_and_not_queued(ledger: Ledger) -> None:
    batch = made(ledger)
    first, second = expect(ledger, batch, 2)
    stands = ledger.batches.get("alice", batch.id)
    assert (stands.counts, stands.total, stands.ended) == ({State.RECEIVED: 2}, 2, 0)
    item = ledger.items.get("alice", first.item_id)
    assert (item.source.filename, item.source.size, item.batch_id) == ("cat.png", 0, batch.id)
    assert item.options == first.options
    assert ledger.items.claim(limit=9, max_megapixels=99, lease=HOUR) == []
    assert ledger.items.next_queued_id() is None
    listed = [item.id for _, item in ledger.batches.list_items("alice", batch.id, after=0, limit=9)]
    assert listed == [first.item_id, second.item_id]


def test_it_arrives_once_and_is_worked_off_like_any_other(ledger: Ledger) -> None:
    batch = made(ledger)
    (wanted,) = expect(ledger, batch)
    arrival = taken(ledger)
    assert (
        arrival.item_id,
        arrival.tenant,
        arrival.source_kind,
        arrival.location,
        arrival.attempts,
    ) == (wanted.item_id, "alice", "key", "inbox/0.png", 1)
    assert (arrival.options, arrival.filename) == (wanted.options, wanted.filename)
    assert ledger.fetches.claim(HOUR) is None, "nobody else gets it"
    item = arrive(ledger, arrival)
    assert item is not None
    assert (item.id, item.state, item.source) == (wanted.item_id, State.QUEUED, source())
    assert arrive(ledger, arrival) is None
    assert ledger.fetches.claim(HOUR) is None
    token, (claim,) = claimed(ledger)
    assert (claim.id, claim.group_key) == (item.id, "sem/32")
    assert ledger.items.complete(token, [result(item.id)]) == {item.id}
    assert ledger.batches.get("alice", batch.id).counts == {State.DONE: 1}


def test_it_belongs_to_the_trace_of_its_manifest(ledger: Ledger) -> None:
    batch, trace = made(ledger), f"00-{'ab' * 16}-{'cd' * 8}-01"
    ledger.fetches.enqueue("alice", batch.id, [expected()], trace)
    item = arrive(ledger, taken(ledger))
    assert item is not None
    assert item.traceparent == trace


def test_ids_that_are_known_are_left_as_they_are(ledger: Ledger) -> None:
    batch = made(ledger)
    (first,) = expect(ledger, batch)
    arrive(ledger, taken(ledger))
    more = expected()
    ledger.fetches.enqueue("alice", batch.id, [first, more])
    ledger.fetches.enqueue("alice", batch.id, [first, more])
    ledger.fetches.enqueue("alice", batch.id, [])
    assert ledger.batches.get("alice", batch.id).counts == {State.QUEUED: 1, State.RECEIVED: 1}
    assert taken(ledger).item_id == more.item_id


def test_the_same_twice_at_once_is_one(ledger: Ledger) -> None:
    batch = made(ledger)
    wanted = [expected() for _ in range(50)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: ledger.fetches.enqueue("alice", batch.id, wanted), range(4)))
    assert ledger.batches.get("alice", batch.id).counts == {State.RECEIVED: 50}


def test_no_two_get_the_same(ledger: Ledger) -> None:
    batch = made(ledger)
    wanted = expect(ledger, batch, 40)

    def all_there_is(_: int) -> list[str]:
        found = []
        while (arrival := ledger.fetches.claim(HOUR)) is not None:
            found.append(arrival.item_id)
        return found

    with ThreadPoolExecutor(4) as threads:
        seen = Counter(one for some in threads.map(all_there_is, range(4)) for one in some)
    while (late := ledger.fetches.claim(HOUR)) is not None:  # each may have seen the others' locked
        seen[late.item_id] += 1
    assert seen == Counter(one.item_id for one in wanted)


def test_who_was_overtaken_changes_nothing(ledger: Ledger) -> None:
    batch = made(ledger)
    expect(ledger, batch)
    slow = taken(ledger, OVER)
    quick = taken(ledger)
    assert (quick.item_id, quick.attempts) == (slow.item_id, 2)
    assert not ledger.fetches.renew_lease(slow, HOUR)
    ledger.fetches.reschedule(slow, NOW, counted=True)
    assert not ledger.fetches.fail(slow, unreachable(slow), final=False)
    assert arrive(ledger, slow) is None
    assert ledger.fetches.claim(HOUR) is None, "it is still the other's"
    assert ledger.fetches.renew_lease(quick, HOUR)
    assert arrive(ledger, quick) is not None
    assert not ledger.fetches.renew_lease(quick, HOUR)
    assert not ledger.fetches.fail(quick, unreachable(quick), final=False)


def test_tries_are_counted_unless_it_is_our_fault(ledger: Ledger) -> None:
    batch = made(ledger)
    expect(ledger, batch)
    for counted, tries in ((True, 1), (False, 2), (False, 2), (True, 2), (True, 3)):
        arrival = taken(ledger)
        assert arrival.attempts == tries
        ledger.fetches.reschedule(arrival, NOW, counted=counted)
    ledger.fetches.reschedule(taken(ledger), HOUR, counted=True)
    assert ledger.fetches.claim(HOUR) is None


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch is at rest as soon as all in it has ended."""
    monkeypatch.setattr(webhooks, "BATCH_QUIET_PERIOD", NOW)


@pytest.mark.usefixtures("at_once")
def test_a_miss_ends_the_item_and_is_told(ledger: Ledger) -> None:
    hook = ledger.webhooks.add(
        secrets.token_hex(8), "alice", "https://a.example",
        {Event.IMAGE_FAILED, Event.BATCH_COMPLETED},
    )  # fmt: skip
    batch = made(ledger)
    expect(ledger, batch, 2)
    for left in (1, 0):
        arrival = taken(ledger)
        assert ledger.fetches.fail(arrival, unreachable(arrival), final=bool(left))
    ledger.webhooks.list_due()
    found = ledger.webhooks.list_deliveries("alice", hook.id, after=0, limit=9)
    assert [one.event for one in found] == [
        Event.IMAGE_FAILED, Event.IMAGE_FAILED, Event.BATCH_COMPLETED
    ]  # fmt: skip
    assert found[0].payload["data"]["code"] == "source_unreachable"
    stands = ledger.batches.get("alice", batch.id)
    assert (stands.counts, stands.ended) == ({State.FAILED: 2}, 2)
    assert ledger.items.get("alice", arrival.item_id).error_code == "source_unreachable"
    assert ledger.fetches.claim(HOUR) is None


@pytest.mark.usefixtures("at_once")
def test_a_batch_ends_only_when_all_have_arrived(ledger: Ledger) -> None:
    hook = ledger.webhooks.add(
        secrets.token_hex(8), "alice", "https://a.example", {Event.BATCH_COMPLETED}
    )
    batch = made(ledger)
    expect(ledger, batch, 2)
    for told in (0, 1):
        item = arrive(ledger, taken(ledger))
        assert item is not None
        token, _ = claimed(ledger)
        ledger.items.complete(token, [result(item.id)])
        ledger.webhooks.list_due()
        assert len(ledger.webhooks.list_deliveries("alice", hook.id, after=0, limit=9)) == told
        assert (ledger.batches.get("alice", batch.id).eta_s == 0) is bool(told)


def test_what_was_missed_is_expected_again_in_its_place(ledger: Ledger) -> None:
    batch, other = made(ledger), made(ledger)
    gone, broken, here = expect(ledger, batch, 3)
    expect(ledger, other)
    ends = {gone.item_id: False, broken.item_id: True}
    for _ in range(4):
        arrival = taken(ledger)
        if arrival.item_id == here.item_id:
            arrive(ledger, arrival)
        else:
            ledger.fetches.fail(
                arrival, unreachable(arrival), final=ends.get(arrival.item_id, False)
            )
    assert ledger.fetches.retry_failed("alice", batch.id) == 1
    assert ledger.fetches.retry_failed("alice", batch.id) == 0
    with pytest.raises(NotFound):
        ledger.items.get("alice", gone.item_id)
    assert ledger.items.get("alice", broken.item_id).state is State.FAILED
    counts = {State.FAILED: 1, State.QUEUED: 1, State.RECEIVED: 1}
    assert ledger.batches.get("alice", batch.id).counts == counts
    again = taken(ledger)
    assert (again.location, again.attempts, again.filename) == (gone.location, 1, "cat.png")
    assert again.options == gone.options
    assert arrive(ledger, again) is not None


def test_what_is_old_is_forgotten(ledger: Ledger) -> None:
    batch = made(ledger)
    expect(ledger, batch, 2)
    arrival = taken(ledger)
    ledger.fetches.fail(arrival, unreachable(arrival), final=False)
    assert ledger.fetches.prune(HOUR) == 0
    assert ledger.fetches.prune(-HOUR) == 1, "not what is still to come"
    assert ledger.fetches.retry_failed("alice", batch.id) == 0
    assert taken(ledger).item_id != arrival.item_id


@pytest.mark.parametrize("way", ["batch", "item", "tenant"])
def test_what_is_cancelled_or_erased_arrives_no_more(ledger: Ledger, way: str) -> None:
    batch = made(ledger)
    first, second = expect(ledger, batch, 2)
    arrival = taken(ledger)
    if way == "batch":
        assert len(ledger.batches.cancel("alice", batch.id)) == 2
        assert ledger.batches.get("alice", batch.id).counts == {State.CANCELLED: 2}
    elif way == "item":
        for one in (first, second):
            assert ledger.items.delete("alice", one.item_id).state is State.RECEIVED
    else:
        assert len(ledger.tenants.erase("alice")) == 2
    assert not ledger.fetches.renew_lease(arrival, HOUR)
    assert arrive(ledger, arrival) is None
    assert not ledger.fetches.fail(arrival, unreachable(arrival), final=False)
    assert ledger.fetches.claim(HOUR) is None
    assert ledger.items.count_by_state().get(State.QUEUED, 0) == 0


def test_tenants_come_in_turn(ledger: Ledger) -> None:
    expect(ledger, made(ledger), 200)
    (late,) = expect(ledger, made(ledger, "bob"))
    seen: list[str] = []
    while late.item_id not in seen:
        seen.append(taken(ledger).item_id)
    assert len(seen) < 100, "of two tenants either is next with one half"


def test_quotas_count_what_has_arrived(ledger: Ledger) -> None:
    ledger.tenants.set_quota("alice", 1.5)
    batch = made(ledger)
    expect(ledger, batch, 2)
    assert ledger.tenants.usage("alice").megapixels == 0
    assert arrive(ledger, taken(ledger)) is not None
    assert ledger.tenants.usage("alice").megapixels == 1
    arrival = taken(ledger)
    with pytest.raises(Overloaded) as refused:
        arrive(ledger, arrival)
    assert refused.value.code == "over_quota"
    assert ledger.fetches.renew_lease(arrival, HOUR), "it is still there"


def test_arrivals_have_turns_of_batches(ledger: Ledger) -> None:
    expect(ledger, made(ledger), 2)
    first = arrive(ledger, taken(ledger))
    second = arrive(ledger, taken(ledger))
    alone = added(ledger)
    assert first is not None
    assert second is not None
    places = [
        ledger.items.get_with_position("alice", item.id)[1] for item in (alone, first, second)
    ]
    assert places == [0, 1, 2]


def test_a_foreign_batch_expects_nothing(ledger: Ledger) -> None:
    batch = made(ledger)
    for tenant, batch_id in (("bob", batch.id), ("alice", new_id())):
        with pytest.raises(NotFound):
            ledger.fetches.enqueue(tenant, batch_id, [expected()])
        with pytest.raises(NotFound):
            ledger.fetches.retry_failed(tenant, batch_id)
    assert ledger.batches.get("alice", batch.id).total == 0


def test_under_one_name_nothing_else_is_expected(ledger: Ledger) -> None:
    batch, wanted = made(ledger), [expected(), expected()]
    same, other = 32 * "a" + 32 * "b", 32 * "a" + 32 * "c"
    ledger.fetches.enqueue("alice", batch.id, wanted[:1], idempotency_key=same)
    arrive(ledger, taken(ledger))
    ledger.fetches.enqueue(
        "alice", batch.id, wanted, idempotency_key=same
    )  # what could not be then can be now
    with pytest.raises(BadInput, match="request_differs"):
        ledger.fetches.enqueue("alice", batch.id, [expected()], idempotency_key=other)
    assert ledger.batches.get("alice", batch.id).total == 2
    ledger.fetches.enqueue("alice", batch.id, [expected()], idempotency_key=32 * "9" + 32 * "c")
    ledger.fetches.enqueue("bob", made(ledger, "bob").id, [expected()], idempotency_key=other)
