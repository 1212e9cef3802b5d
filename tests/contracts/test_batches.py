"""What every ledger promises of batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from photoward.core.errors import Conflict, NotFound
from photoward.core.fetches import FetchRequest
from photoward.core.jobs import BatchState, State, new_id
from tests.support.samples import added, claimed, failure, options, result, source

if TYPE_CHECKING:
    from photoward.core.jobs import Batch, Item
    from photoward.core.ledger import Ledger


def made(ledger: Ledger, tenant: str = "alice") -> Batch:
    return ledger.batches.add(new_id(), tenant, "holiday", {"preset": "subtle"})


def put(ledger: Ledger, batch: Batch, group_key: str = "sem/32") -> Item:
    return ledger.items.add(
        new_id(), batch.tenant, options(), source(), group_key, batch_id=batch.id
    )


def test_a_batch_is_kept_as_it_was_asked_for(ledger: Ledger) -> None:
    batch = made(ledger)
    assert ledger.batches.get("alice", batch.id) == batch
    assert ledger.batches.get_options("alice", batch.id) == batch.options
    assert (batch.name, batch.options, batch.total) == ("holiday", {"preset": "subtle"}, 0)
    assert batch.eta_s == 0


def test_a_tenants_batches_are_listed_newest_first_page_by_page(ledger: Ledger) -> None:
    one, two, three = (made(ledger) for _ in range(3))
    other = made(ledger, "bob")
    put(ledger, two)
    first = ledger.batches.list_newest("alice", before=None, limit=2)
    assert [batch.id for batch in first] == [three.id, two.id]
    assert [batch.counts for batch in first] == [{}, {State.QUEUED: 1}]
    assert first[1] == ledger.batches.get("alice", two.id)
    (last,) = ledger.batches.list_newest("alice", before=two.id, limit=2)
    assert last.id == one.id
    assert ledger.batches.list_newest("alice", before=one.id, limit=2) == []
    with pytest.raises(NotFound):
        ledger.batches.list_newest("alice", before=other.id, limit=2)


def test_a_closed_batch_takes_nothing_more(ledger: Ledger) -> None:
    batch = made(ledger)
    item = put(ledger, batch)
    assert batch.state is BatchState.OPEN
    assert ledger.batches.get_defaults("alice", batch.id).options == batch.options
    closed = ledger.batches.close("alice", batch.id)
    assert closed.state is BatchState.CLOSED
    assert ledger.batches.close("alice", batch.id).closed_at == closed.closed_at
    expected = FetchRequest(new_id(), "key", "inbox/cat.png", options(), "cat.png")
    for add in (
        lambda: put(ledger, batch),
        lambda: ledger.batches.get_defaults("alice", batch.id),
        lambda: ledger.fetches.enqueue("alice", batch.id, [expected]),
    ):
        with pytest.raises(Conflict) as refused:
            add()
        assert refused.value.code == "batch_closed"
    token, _ = claimed(ledger)
    ledger.items.fail(token, [failure(item.id)])
    assert ledger.batches.get("alice", batch.id).state is BatchState.COMPLETED
    replaced = ledger.items.add(
        new_id(), "alice", options(), source(), "sem/32", batch_id=batch.id, replaces=True
    )
    assert replaced.batch_id == batch.id


def test_what_was_refused_is_counted(ledger: Ledger) -> None:
    batch, other = made(ledger), made(ledger)
    for tenant, count in (("alice", 2), ("alice", 0), ("bob", 5), ("alice", 1)):
        ledger.batches.count_refused(tenant, batch.id, count)
    assert ledger.batches.get("alice", batch.id).refused == 3
    assert ledger.batches.get("alice", other.id).refused == 0


def test_only_the_owner_closes_a_batch(ledger: Ledger) -> None:
    with pytest.raises(NotFound):
        ledger.batches.close("bob", made(ledger).id)


def test_its_items_are_counted_where_they_stand(ledger: Ledger) -> None:
    batch = made(ledger)
    items = [put(ledger, batch) for _ in range(5)]
    added(ledger)
    token, taken = claimed(ledger, limit=1)
    ledger.items.release(token)
    assert taken[0].batch_id is None, "what came by itself goes first"
    ledger.items.delete("alice", taken[0].id)
    token, _ = claimed(ledger, limit=3)
    ledger.items.complete(token, [result(items[0].id)])
    ledger.items.fail(token, [failure(items[1].id)])
    ledger.items.delete("alice", items[4].id)
    found = ledger.batches.get("alice", batch.id)
    assert found.counts == {State.DONE: 1, State.FAILED: 1, State.LEASED: 1, State.QUEUED: 1}
    assert (found.total, found.ended) == (4, 2)
    assert found.rate_per_s > 0
    assert found.eta_s == pytest.approx(2 / found.rate_per_s)


def test_items_are_listed_in_order_and_in_pages(ledger: Ledger) -> None:
    batch, other = made(ledger), made(ledger)
    items = []
    for _ in range(7):
        items.append(put(ledger, batch))
        put(ledger, other)
    seen, after = list[str](), 0
    while page := ledger.batches.list_items("alice", batch.id, after=after, limit=3):
        assert len(page) <= 3
        seen += [item.id for _, item in page]
        after = page[-1][0]
    assert seen == [item.id for item in items]
    assert ledger.batches.list_items("alice", batch.id, after=0, limit=9, states={State.DONE}) == []
    ((_, shown),) = ledger.batches.list_items("alice", batch.id, after=after - 1, limit=9)
    assert shown.batch_id == batch.id


def test_what_has_not_ended_can_be_cancelled_as_one(ledger: Ledger) -> None:
    batch = made(ledger)
    items = [put(ledger, batch) for _ in range(4)]
    alone = added(ledger)
    claimed(ledger, limit=1)
    token, _ = claimed(ledger, limit=2)
    ledger.items.complete(token, [result(items[0].id)])
    ended = ledger.batches.cancel("alice", batch.id)
    assert [item.id for item in ended] == [item.id for item in items[1:]]
    assert ledger.batches.get("alice", batch.id).counts == {State.DONE: 1, State.CANCELLED: 3}
    assert ledger.items.get("alice", items[3].id).state is State.CANCELLED
    assert ledger.items.complete(token, [result(items[1].id)]) == set(), "the worker is told"
    assert ledger.items.get("alice", alone.id).state is State.LEASED
    assert ledger.batches.cancel("alice", batch.id) == []


def test_a_foreign_batch_is_a_missing_one(ledger: Ledger) -> None:
    batch = made(ledger)
    put(ledger, batch)
    for tenant, batch_id in (("bob", batch.id), ("alice", new_id())):
        with pytest.raises(NotFound):
            ledger.batches.get(tenant, batch_id)
        with pytest.raises(NotFound):
            ledger.batches.get_options(tenant, batch_id)
        with pytest.raises(NotFound):
            ledger.batches.list_items(tenant, batch_id, after=0, limit=9)
        with pytest.raises(NotFound):
            ledger.batches.cancel(tenant, batch_id)
    assert ledger.batches.get("alice", batch.id).counts == {State.QUEUED: 1}


def test_what_came_by_itself_goes_before_all_batches(ledger: Ledger) -> None:
    batch = made(ledger)
    queue = [put(ledger, batch) for _ in range(3)]
    first, second = added(ledger, group_key="cuda/32"), added(ledger)
    more = put(ledger, batch)
    everything = (*queue, first, second, more)
    places = {item.id: ledger.items.get_with_position("alice", item.id)[1] for item in everything}
    assert [places[item.id] for item in (first, second, *queue, more)] == [0, 1, 2, 3, 4, 5]
    claims = [[item.id for item in claimed(ledger)[1]] for _ in range(3)]
    assert claims == [[first.id], [second.id], [*(item.id for item in queue), more.id]]
