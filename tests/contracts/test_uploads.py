"""What every ledger promises of bytes that are no item yet."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from photoward.core.errors import BadInput, Conflict, NotFound, Overloaded, PhotowardError
from photoward.core.jobs import State, new_id
from photoward.core.ledger.tables import uploads
from photoward.core.uploads import DIRECT, MAX_PARTS, new_part
from tests.support.samples import options, source

if TYPE_CHECKING:
    from photoward.core.jobs import Item
    from photoward.core.ledger import Ledger
    from photoward.core.uploads import Upload


def begun(
    ledger: Ledger, length: int = 10, *, tenant: str = "alice", most: int = 99,
    most_bytes: int = 999,
) -> Upload:  # fmt: skip
    return ledger.uploads.add(
        new_id(), tenant, length, "filename Y2F0", max_uploads=most, max_bytes=most_bytes
    )


def write(ledger: Ledger, upload: Upload, size: int, start: int | None) -> Upload:
    part = new_part(start or 0)
    return ledger.uploads.append_part(upload.tenant, upload.id, part, size, start=start)


def used(ledger: Ledger, upload: Upload, tenant: str = "alice", request: str | None = None) -> Item:
    return ledger.items.add(
        new_id(),
        tenant,
        options(),
        source(),
        "sem/32",
        upload_id=upload.id,
        idempotency_key=request,
    )


def expire(ledger: Ledger, upload: Upload) -> None:
    with ledger._engine.begin() as connection:
        gone = upload.expires_at - timedelta(days=2)
        connection.execute(
            update(uploads).where(uploads.c.id == upload.id).values(expires_at=gone)
        )  # fmt: skip


def test_parts_follow_each_other(ledger: Ledger) -> None:
    upload = begun(ledger)
    assert (upload.received, upload.parts, upload.complete) == (0, (), False)
    first = write(ledger, upload, 4, 0)
    second = write(ledger, upload, 6, 4)
    assert (second.received, second.complete) == (10, True)
    assert second.parts[:1] == first.parts
    assert ledger.uploads.get("alice", upload.id) == second
    assert second.metadata == "filename Y2F0"


@pytest.mark.parametrize("start", [0, 3, 5, 10])
def test_a_part_of_another_place_is_not_counted(ledger: Ledger, start: int) -> None:
    before = write(ledger, begun(ledger), 4, 0)
    with pytest.raises(Conflict) as caught:
        write(ledger, before, 1, start)
    assert caught.value.code == "offset_differs"
    assert ledger.uploads.get("alice", before.id) == before


def test_of_many_writers_of_one_part_one_succeeds(ledger: Ledger) -> None:
    upload = begun(ledger)

    def attempt(_: int) -> bool:
        try:
            return bool(write(ledger, upload, 5, 0))
        except Conflict:
            return False

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(attempt, range(6))) == 1
    assert len(ledger.uploads.get("alice", upload.id).parts) == 1


def test_more_than_was_announced_is_not_counted(ledger: Ledger) -> None:
    upload = write(ledger, begun(ledger), 4, 0)
    for start in (4, None):
        with pytest.raises(BadInput) as caught:
            write(ledger, upload, 11, start)
        assert caught.value.code == "body_too_large"


def test_what_comes_in_one_piece_takes_the_place_of_parts(ledger: Ledger) -> None:
    upload = write(ledger, begun(ledger), 4, 0)
    whole = write(ledger, upload, 10, None)
    assert whole.complete
    assert len(whole.parts) == 1
    assert upload.parts != whole.parts
    assert write(ledger, upload, 10, None).parts != whole.parts, "and again"


def test_there_are_only_so_many_parts(ledger: Ledger) -> None:
    upload = begun(ledger, 2 * MAX_PARTS, most_bytes=9999)
    for start in range(MAX_PARTS):
        ledger.uploads.append_part("alice", upload.id, f"p{start}", 1, start=start)
    with pytest.raises(BadInput) as caught:
        write(ledger, upload, 1, MAX_PARTS)
    assert caught.value.code == "too_many_parts"
    assert write(ledger, upload, 2 * MAX_PARTS, None).complete


@pytest.mark.parametrize(("most", "most_bytes"), [(2, 999), (99, 29)])
def test_a_tenant_has_only_so_many_at_a_time(ledger: Ledger, most: int, most_bytes: int) -> None:
    begin = partial(begun, ledger, most=most, most_bytes=most_bytes)
    first, _ = begin(), begin()
    with pytest.raises(Overloaded) as caught:
        begin()
    assert caught.value.code == "too_many_uploads"
    begin(tenant="bob")
    used(ledger, first)
    begin()


def test_an_upload_becomes_one_item(ledger: Ledger) -> None:
    upload = write(ledger, begun(ledger), 10, 0)

    def attempt(_: int) -> str:
        try:
            return used(ledger, upload).id
        except Conflict as conflict:
            return conflict.code

    with ThreadPoolExecutor(4) as threads:
        *refused, item = sorted(threads.map(attempt, range(4)), key=lambda told: told[0] != "u")
    assert refused == ["upload_used"] * 3
    assert ledger.items.count_by_state() == {State.QUEUED: 1}
    after = ledger.uploads.get("alice", upload.id)
    assert (after.item_id, after.parts, after.metadata) == (item, (), "")
    for start in (10, None):
        with pytest.raises(Conflict) as caught:
            write(ledger, upload, 0, start)
        assert caught.value.code == "upload_used"


def test_a_refused_item_leaves_its_upload_as_it_was(ledger: Ledger) -> None:
    upload = write(ledger, begun(ledger), 10, 0)
    ledger.tenants.set_quota("alice", 0.5)
    with pytest.raises(Overloaded):
        used(ledger, upload)
    assert ledger.uploads.get("alice", upload.id) == upload


def test_a_repeated_request_uses_its_upload_up(ledger: Ledger) -> None:
    one, other = begun(ledger), begun(ledger)
    first, again = used(ledger, one, request="r"), used(ledger, other, request="r")
    assert first.id == again.id
    assert ledger.uploads.get("alice", other.id).item_id == first.id


def test_another_tenants_upload_is_not_there(ledger: Ledger) -> None:
    upload = begun(ledger, tenant="bob")
    theirs = ledger.uploads.get("bob", upload.id)
    for call in (
        lambda: ledger.uploads.get("alice", upload.id),
        lambda: ledger.uploads.append_part("alice", upload.id, "p", 1, start=0),
        lambda: ledger.uploads.append_part("alice", upload.id, "p", 1, start=None),
        lambda: ledger.uploads.delete("alice", upload.id),
        lambda: used(ledger, upload),
    ):
        with pytest.raises(NotFound):
            call()
    assert ledger.uploads.get("bob", upload.id) == theirs
    assert ledger.items.count_by_state() == {}


def test_what_has_expired_is_as_if_it_were_not(ledger: Ledger) -> None:
    upload, other = begun(ledger), begun(ledger)
    expire(ledger, upload)
    for call in (
        lambda: ledger.uploads.get("alice", upload.id),
        lambda: write(ledger, upload, 1, 0),
        lambda: used(ledger, upload),
    ):
        with pytest.raises(NotFound):
            call()
    begun(ledger, most=2)
    assert ledger.uploads.prune() == 1
    assert ledger.uploads.parts_in_use([upload.id, other.id]).keys() == {other.id}


def test_the_parts_of_what_is_not_used_are_needed(ledger: Ledger) -> None:
    waiting, spent, removed = (write(ledger, begun(ledger), 10, 0) for _ in range(3))
    used(ledger, spent)
    assert ledger.uploads.delete("alice", removed.id) == removed
    asked = [*(one.id for one in (waiting, spent, removed)), *(new_id() for _ in range(1500))]
    assert ledger.uploads.parts_in_use(asked) == {waiting.id: {*waiting.parts, DIRECT}}


def test_an_erased_tenant_has_no_uploads(ledger: Ledger) -> None:
    upload, other = begun(ledger), begun(ledger, tenant="bob")
    ledger.tenants.erase("alice")
    with pytest.raises(PhotowardError):
        ledger.uploads.get("alice", upload.id)
    assert ledger.uploads.get("bob", other.id) == other
