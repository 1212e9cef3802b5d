"""A request with a name is done once, however often it comes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from photoward.core.errors import BadInput
from photoward.core.jobs import IDEMPOTENCY_WINDOW, State, new_id
from photoward.core.ledger.tables import items
from tests.support.samples import added, claimed, options, result, source

if TYPE_CHECKING:
    from photoward.core.jobs import Item
    from photoward.core.ledger import Ledger

NAME = "a" * 64


def sent(ledger: Ledger, tenant: str = "alice", **parts: str) -> Item:
    return ledger.items.add(
        new_id(), tenant, options(label=parts.get("label", "my cat")),
        source(sha256=parts.get("sha256", "ab" * 32)), "sem/32", idempotency_key=NAME,
    )  # fmt: skip


def test_the_same_request_makes_one_item(ledger: Ledger) -> None:
    with ThreadPoolExecutor(4) as threads:
        ids = {item.id for item in threads.map(lambda _: sent(ledger), range(12))}
    assert len(ids) == 1
    assert ledger.items.count_by_state() == {State.QUEUED: 1}
    assert sent(ledger, "bob").id not in ids, "another tenant's name is another name"


def test_it_is_answered_as_it_stands_by_now(ledger: Ledger) -> None:
    first = sent(ledger)
    token, _ = claimed(ledger)
    ledger.items.complete(token, [result(first.id)])
    again = sent(ledger)
    assert (again.id, again.state) == (first.id, State.DONE)


def test_another_photo_or_option_under_the_same_name_is_refused(ledger: Ledger) -> None:
    sent(ledger)
    for other in ({"sha256": "cd" * 32}, {"label": "your cat"}):
        with pytest.raises(BadInput) as caught:
            sent(ledger, **other)
        assert caught.value.code == "request_differs"
    assert ledger.items.count_by_state() == {State.QUEUED: 1}


def test_what_was_deleted_may_come_again(ledger: Ledger) -> None:
    first = sent(ledger)
    ledger.items.delete("alice", first.id)
    assert sent(ledger, sha256="cd" * 32).id != first.id


def test_a_name_is_free_after_a_day(ledger: Ledger) -> None:
    first = sent(ledger)
    long_ago = first.created_at - IDEMPOTENCY_WINDOW - timedelta(seconds=1)
    with ledger._engine.begin() as connection:
        connection.execute(update(items).values(created_at=long_ago))
    again = sent(ledger)
    assert again.id != first.id
    assert sent(ledger).id == again.id


def test_a_repeated_request_costs_no_quota(ledger: Ledger) -> None:
    ledger.tenants.set_quota("alice", 1)
    assert sent(ledger).id == sent(ledger).id
    assert ledger.tenants.usage("alice").megapixels == pytest.approx(1)


def test_requests_without_a_name_are_all_different(ledger: Ledger) -> None:
    assert added(ledger).id != added(ledger).id


def test_a_batch_is_made_once(ledger: Ledger) -> None:
    def make(**wanted: object) -> str:
        return ledger.batches.add(new_id(), "alice", "holiday", wanted, idempotency_key=NAME).id

    first = make(sizes=(640, 320))
    assert make(sizes=(640, 320)) == first
    with pytest.raises(BadInput) as caught:
        make(sizes=(640,))
    assert caught.value.code == "request_differs"
