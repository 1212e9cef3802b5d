"""What protected files are recognised by, in every ledger."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from photoward.core.jobs import Output, new_id
from photoward.core.ledger.proofs import RADIUS
from photoward.core.ledger.tables import proof_hashes, proofs
from photoward.core.proofs import Fingerprint, NewProof
from tests.support.samples import added, claimed, options, result, source

if TYPE_CHECKING:
    from photoward.core.jobs import Item
    from photoward.core.ledger import Ledger

MARK, SHA = "0123456789abcdef" * 2, "cd" * 32
HASHES = (0x0123456789ABCDEF, 0xFFFF0000FFFF0000)
FACTS = {"method": "anchor", "visibility": 0.9}


def new_proof(sha256: str = SHA, hashes: tuple[int, ...] = HASHES) -> NewProof:
    return NewProof(sha256, 640, 480, Fingerprint(MARK, hashes, b"sketch"), FACTS)


def done(ledger: Ledger, tenant: str = "alice", proof: NewProof | None = None) -> Item:
    proof = proof or new_proof()
    item = added(ledger, tenant)
    token, _ = claimed(ledger)
    output = Output(proof.sha256, 4321, "image/png")
    ended = result(item.id, output=output, proofs=(proof,))
    assert ledger.items.complete(token, [ended]) == {item.id}
    return item


def test_a_file_is_found_by_its_digest_its_mark_and_its_image(ledger: Ledger) -> None:
    item = done(ledger)
    (proof,) = ledger.proofs.find_by_digest(SHA)
    assert ledger.proofs.find_by_mark(MARK) == [proof]
    assert ledger.proofs.find_by_item("alice", item.id) == [proof]
    assert ledger.proofs.find_by_item("bob", item.id) == []
    assert (proof.tenant, proof.item_id, proof.facts) == ("alice", item.id, FACTS)
    assert (proof.width, proof.height, proof.sketch) == (640, 480, b"sketch")
    assert proof.protected_at >= item.created_at
    assert ledger.proofs.find_by_digest("00" * 32) == []


@pytest.mark.parametrize("flipped", [0, 1, RADIUS, RADIUS + 1])
def test_hashes_are_found_within_the_radius_and_not_beyond(ledger: Ledger, flipped: int) -> None:
    done(ledger)
    rng = random.Random(flipped)
    for box, own in enumerate(HASHES):
        for _ in range(5):
            mask = sum(1 << bit for bit in rng.sample(range(64), flipped))
            found = ledger.proofs.find_similar(own ^ mask, 10)
            expected = [(box, flipped)] if flipped <= RADIUS else []
            assert [(one.box, one.distance) for one in found] == expected


def test_the_nearest_come_first_and_no_more_than_asked_for(ledger: Ledger) -> None:
    for number in range(5):
        sha256 = f"{number:064x}"
        done(ledger, proof=new_proof(sha256, (HASHES[0] ^ ((1 << number) - 1),)))
    found = ledger.proofs.find_similar(HASHES[0], 3)
    assert [one.distance for one in found] == [0, 1, 2]


def test_a_file_that_is_made_again_keeps_its_date(ledger: Ledger) -> None:
    done(ledger)
    (before,) = ledger.proofs.find_by_digest(SHA)
    done(ledger)
    done(ledger, "bob")
    both = ledger.proofs.find_by_digest(SHA)
    assert [one.tenant for one in both] == ["alice", "bob"]
    assert both[0].protected_at == before.protected_at
    assert [one.distance for one in ledger.proofs.find_similar(HASHES[0], 10)] == [0, 0]


def test_of_a_deleted_image_the_proof_stays_without_noise(ledger: Ledger) -> None:
    first, second = done(ledger), done(ledger)
    ledger.items.delete("alice", first.id)
    (proof,) = ledger.proofs.find_by_digest(SHA)
    assert (proof.item_id, proof.sketch) == (second.id, b"sketch")
    ledger.items.delete("alice", second.id)
    (proof,) = ledger.proofs.find_by_digest(SHA)
    assert (proof.item_id, proof.sketch) == (None, None)
    assert ledger.proofs.find_similar(HASHES[0], 10)
    again = done(ledger)
    (proof,) = ledger.proofs.find_by_digest(SHA)
    assert (proof.item_id, proof.sketch) == (again.id, b"sketch")


def test_an_expired_image_leaves_the_same(ledger: Ledger) -> None:
    item = added(ledger)
    token, _ = claimed(ledger)
    ended = result(item.id, output=Output(SHA, 1, "image/png"), proofs=(new_proof(),))
    ledger.items.complete(token, [ended])
    with ledger._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE items SET expires_at = created_at")
    assert [one.id for one in ledger.items.delete_expired(10)] == [item.id]
    (proof,) = ledger.proofs.find_by_mark(MARK)
    assert (proof.item_id, proof.sketch) == (None, None)


def test_an_erasure_leaves_nothing(ledger: Ledger) -> None:
    done(ledger)
    theirs = done(ledger, "bob")
    ledger.tenants.erase("alice")
    assert [one.item_id for one in ledger.proofs.find_by_digest(SHA)] == [theirs.id]
    assert len(ledger.proofs.find_similar(HASHES[0], 10)) == 1
    ledger.tenants.erase("bob")
    with ledger._engine.connect() as connection:
        for table in (proofs, proof_hashes):
            assert connection.execute(select(table)).all() == []


def test_what_a_late_worker_made_is_not_kept(ledger: Ledger) -> None:
    item = ledger.items.add(new_id(), "alice", options(), source(), "sem/32")
    token, _ = claimed(ledger)
    ledger.items.delete("alice", item.id)
    assert not ledger.items.complete(token, [result(item.id, proofs=(new_proof(),))])
    assert ledger.proofs.find_by_mark(MARK) == []
