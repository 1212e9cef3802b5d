"""Tenants share the machine: who hands in a lot waits for it, and others hardly notice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from photoward.core.jobs import Priority, new_id
from photoward.core.ledger.fair_queue import HEAD_START
from tests.support.samples import HOUR, added, claimed, result

if TYPE_CHECKING:
    from photoward.core.ledger import Ledger

A_ROUND = 8
"""Photos that the workers of these tests can do in a round."""


def order(ledger: Ledger, count: int) -> list[str]:
    """Whose photos come next, one by one."""
    return [claimed(ledger, limit=1)[1][0].tenant for _ in range(count)]


def in_batch(ledger: Ledger, tenant: str, count: int, height: int = 1000) -> None:
    batch = ledger.batches.add(new_id(), tenant, "", {})
    for _ in range(count):
        added(ledger, tenant, height=height, batch=batch.id)


def waits(ledger: Ledger, rounds: int, flood: int) -> list[int]:
    """Rounds that each of bob's photos takes, two of which come in every round."""
    arrived: dict[str, int] = {}
    taken = []
    for number in range(rounds):
        for _ in range(flood):
            added(ledger, "alice")
        for _ in range(2):
            arrived[added(ledger, "bob").id] = number
        token, items = claimed(ledger, limit=A_ROUND)
        ledger.items.complete(token, [result(item.id) for item in items])
        taken += [number - arrived[item.id] + 1 for item in items if item.tenant == "bob"]
    return taken


@pytest.mark.parametrize("flood", [4, 80])
def test_a_tenant_with_twenty_times_its_share_hardly_slows_others(
    ledger: Ledger, flood: int
) -> None:
    """Alice's share of a round is four of eight, bob hands in two."""
    taken = waits(ledger, 12, flood)
    assert len(taken) >= 22
    assert sum(taken) / len(taken) <= 1.5


def test_each_has_an_equal_share_of_the_work_not_of_the_photos(ledger: Ledger) -> None:
    for _ in range(30):
        added(ledger, "alice", height=10_000)
    for _ in range(30):
        added(ledger, "bob", height=1000)
    assert 7 <= order(ledger, 10).count("bob") <= 9


def test_a_weight_is_a_share(ledger: Ledger) -> None:
    ledger.tenants.set_weight("alice", 3)
    for tenant in ("bob", "alice"):
        for _ in range(20):
            added(ledger, tenant)
    assert 8 <= order(ledger, 12).count("alice") <= 10


def test_who_did_much_yesterday_is_not_behind_today(ledger: Ledger) -> None:
    for _ in range(50):
        added(ledger, "alice")
    assert order(ledger, 50) == ["alice"] * 50
    for _ in range(6):
        added(ledger, "bob")
    for _ in range(6):
        added(ledger, "alice")
    assert 2 <= order(ledger, 6).count("alice") <= 4


def test_batches_of_two_tenants_go_side_by_side(ledger: Ledger) -> None:
    in_batch(ledger, "alice", 30)
    in_batch(ledger, "bob", 3)
    assert order(ledger, 8).count("bob") == 3


def test_a_flood_of_single_photos_does_not_stop_everybodys_batches(ledger: Ledger) -> None:
    in_batch(ledger, "bob", 3)
    each = HEAD_START[Priority.BULK] / 10
    for _ in range(20):
        added(ledger, "alice", height=round(1000 * each))
    served = order(ledger, 16)
    assert served[:5] == ["alice"] * 5
    assert served.count("bob") == 3


def test_photos_of_a_new_tenant_go_before_a_batch_that_waits(ledger: Ledger) -> None:
    in_batch(ledger, "alice", 20)
    assert order(ledger, 5) == ["alice"] * 5
    item = added(ledger, "bob")
    assert ledger.items.get_with_position("bob", item.id) == (item, 0)
    assert order(ledger, 1) == ["bob"]
    assert ledger.items.claim(limit=1, max_megapixels=9, lease=HOUR)[0].tenant == "alice"
