"""What crashes leave behind is made good."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING

import pytest

from photoward.core.errors import NotFound, Unavailable
from photoward.core.jobs import Details, State, new_id
from photoward.core.ledger import uploads as ledger_uploads
from photoward.core.object_keys import original_key, output_key, upload_key
from photoward.core.uploads import DIRECT
from photoward.worker import reconciler as reconciler_module
from photoward.worker.reconciler import Reconciler
from tests.support.samples import OVER, added, claimed, failure, options, result, source

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from photoward.core.jobs import Item
    from photoward.core.ledger import Ledger
    from photoward.core.storage import ObjectStore


class Recorded:
    """Wake-ups that remember."""

    def __init__(self) -> None:
        self.items: list[str] = []

    def send(self, item_id: str) -> bool:
        self.items.append(item_id)
        return True

    def check(self) -> None:
        """Always there."""


@pytest.fixture
def wake_ups() -> Recorded:
    return Recorded()


@pytest.fixture
def reconciler(ledger: Ledger, store: ObjectStore, wake_ups: Recorded) -> Reconciler:
    return made(ledger, store, wake_ups)


def made(  # noqa: PLR0913  # what may differ
    ledger: Ledger,
    store: ObjectStore,
    wake_ups: Recorded,
    *,
    orphan_age_s: float = 1000.0,
    audit_days: int = 400,
    sweep_every_s: float = 0.02,
) -> Reconciler:
    return Reconciler(
        ledger=ledger,
        store=store,
        wake_ups=wake_ups,
        every_s=0.02,
        sweep_every_s=sweep_every_s,
        orphan_age_s=orphan_age_s,
        audit_days=audit_days,
    )


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_has_expired_is_deleted_in_all_forms(
    ledger: Ledger, store: ObjectStore, reconciler: Reconciler
) -> None:
    def item(retention_s: int | None, batch: str | None = None) -> Item:
        details = Details(reference="unmistakable", retention_s=retention_s)
        made_id = new_id()
        store.put(original_key("alice", made_id), io.BytesIO(b"x"))
        return ledger.items.add(
            made_id, "alice", options(), source(), "sem/32", details=details, batch_id=batch
        )

    batch = ledger.batches.add(new_id(), "alice", "", {}).id
    over, failed, later, kept = item(0), item(0), item(3600), item(None)
    canceled = item(0, batch)
    ledger.batches.cancel("alice", batch)
    token, taken = claimed(ledger)
    assert len(taken) == 4
    assert ledger.items.delete_expired(9)[0].id == canceled.id, "what has not ended stays"
    done = [one.id for one in (over, later, kept)]
    for item_id in done:
        store.put(output_key("alice", item_id), io.BytesIO(b"y"))
    ledger.items.complete(token, [result(item_id) for item_id in done])
    ledger.items.fail(token, [failure(failed.id)])
    reconciler.reconcile()
    for one in (over, failed, canceled):
        with pytest.raises(NotFound) as gone:
            ledger.items.get("alice", one.id)
        assert gone.value.code == "expired"
        with pytest.raises(NotFound) as foreign:
            ledger.items.get("bob", one.id)
        assert foreign.value.code == "not_found"
    left = {key for prefix in ("originals/", "outputs/") for key, _ in store.keys(prefix)}
    for one in (later, kept):
        assert {original_key("alice", one.id), output_key("alice", one.id)} <= left
    assert not any(one.id in key for key in left for one in (over, failed))
    expiry = ledger.items.get("alice", later.id).expires_at
    assert expiry is not None
    assert abs((expiry - ledger.items.get("alice", later.id).updated_at).total_seconds() - 3600) < 5
    assert ledger.items.get("alice", kept.id).expires_at is None
    found = ledger.items.list_newest("alice", before=None, limit=9, reference="unmistakable")
    assert {one.id for _, one in found} == {later.id, kept.id}


def test_what_a_lost_worker_held_is_free_again_and_said(
    ledger: Ledger, reconciler: Reconciler, wake_ups: Recorded
) -> None:
    first = added(ledger)
    added(ledger)
    claimed(ledger, lease=OVER)
    reconciler.reconcile()
    assert ledger.items.count_by_state() == {State.QUEUED: 2}
    assert wake_ups.items == [first.id], "one hint is enough: a worker takes all that it finds"


def test_what_is_being_worked_on_is_left_alone(
    ledger: Ledger, reconciler: Reconciler, wake_ups: Recorded
) -> None:
    added(ledger)
    claimed(ledger)
    reconciler.reconcile()
    assert ledger.items.count_by_state() == {State.LEASED: 1}
    assert wake_ups.items == []


def test_a_lost_hint_is_said_again(
    ledger: Ledger, reconciler: Reconciler, wake_ups: Recorded
) -> None:
    item = added(ledger)
    reconciler.start()
    until(lambda: len(wake_ups.items) >= 2)
    reconciler.stop()
    assert set(wake_ups.items) == {item.id}


def test_a_ledger_that_is_away_for_a_while_ends_nothing(
    ledger: Ledger, reconciler: Reconciler, wake_ups: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    added(ledger)
    looks: list[int] = []

    def away() -> int:
        looks.append(1)
        raise Unavailable("The ledger is away.")

    with monkeypatch.context() as patch:
        patch.setattr(ledger.items, "expire_leases", away)
        reconciler.start()
        until(lambda: len(looks) >= 2)
        assert wake_ups.items == []
    until(lambda: bool(wake_ups.items))
    reconciler.stop()


def test_only_what_nobody_needs_is_swept(
    ledger: Ledger, store: ObjectStore, wake_ups: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, done, failed, hidden = (added(ledger) for _ in range(5))
    token, _ = claimed(ledger)
    ledger.items.complete(token, [result(done.id)])
    ledger.items.fail(token, [failure(failed.id)])
    ledger.items.delete("alice", hidden.id)
    ledger.items.release(token)
    claimed(ledger, limit=1)
    assert ledger.items.get("alice", first.id).state is State.LEASED
    everything = (first, second, done, failed, hidden)
    for item in everything:
        store.put(original_key("alice", item.id), b"original")
    for item in (done, hidden):
        store.put(output_key("alice", item.id), b"output")
    store.put(original_key("alice", "0" * 32), b"its upload was never recorded")

    assert made(ledger, store, wake_ups).sweep() == 1, (
        "the original of what is done, whatever its age"
    )
    assert original_key("alice", failed.id) in dict(store.keys("")), "it may be tried again"
    monkeypatch.setattr(reconciler_module, "RETRY_S", 0)
    assert made(ledger, store, wake_ups).sweep() == 1
    assert original_key("alice", "0" * 32) in dict(store.keys("")), "its row may be on its way"
    assert made(ledger, store, wake_ups, orphan_age_s=0).sweep() == 3
    assert {key for key, _ in store.keys("")} == {
        original_key("alice", first.id),
        original_key("alice", second.id),
        output_key("alice", done.id),
    }


def test_of_uploads_only_what_may_be_used_is_kept(
    ledger: Ledger, store: ObjectStore, wake_ups: Recorded
) -> None:
    waiting, spent, removed = (
        ledger.uploads.add(new_id(), "alice", 9, "", max_uploads=9, max_bytes=99) for _ in range(3)
    )
    for one in (waiting, spent, removed):
        ledger.uploads.append_part("alice", one.id, "0-a", 9, start=0)
        for part in ("0-a", "0-b", DIRECT):
            store.put(upload_key("alice", one.id, part), b"some bytes")
    ledger.items.add(new_id(), "alice", options(), source(), "sem/32", upload_id=spent.id)
    ledger.uploads.delete("alice", removed.id)
    everything = {key for key, _ in store.keys("")}

    assert made(ledger, store, wake_ups).sweep() == 6, "of what is used or gone, whatever its age"
    mine = {key for key in everything if waiting.id in key}
    assert {key for key, _ in store.keys("")} == mine, "it may be about to be counted"
    assert made(ledger, store, wake_ups, orphan_age_s=0).sweep() == 1
    assert {key for key, _ in store.keys("")} == mine - {upload_key("alice", waiting.id, "0-b")}


def test_an_upload_that_has_expired_is_swept(
    ledger: Ledger, store: ObjectStore, wake_ups: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ledger_uploads, "LIFETIME", OVER)
        gone = ledger.uploads.add(new_id(), "alice", 9, "", max_uploads=9, max_bytes=99)
    kept = ledger.uploads.add(new_id(), "alice", 9, "", max_uploads=9, max_bytes=99)
    for one in (gone, kept):
        store.put(upload_key("alice", one.id, DIRECT), b"some bytes")
    assert made(ledger, store, wake_ups).sweep() == 1
    assert [key for key, _ in store.keys("")] == [upload_key("alice", kept.id, DIRECT)]


def test_objects_are_asked_of_page_by_page(
    ledger: Ledger, store: ObjectStore, wake_ups: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciler_module, "PAGE", 2)
    asked: list[int] = []
    states, parts = ledger.items.states, ledger.uploads.parts_in_use

    def watched(ids: Sequence[str]) -> dict[str, State]:
        asked.append(len(ids))
        return states(ids)

    def watched_parts(ids: Collection[str]) -> dict[str, frozenset[str]]:
        asked.append(len(ids))
        return parts(ids)

    monkeypatch.setattr(ledger.items, "states", watched)
    monkeypatch.setattr(ledger.uploads, "parts_in_use", watched_parts)
    for _ in range(5):
        store.put(original_key("alice", new_id()), b"orphan")
        store.put(output_key("alice", new_id()), b"orphan")
        store.put(upload_key("alice", new_id(), "0-a"), b"orphan")
    assert made(ledger, store, wake_ups, orphan_age_s=0).sweep() == 15
    assert not list(store.keys(""))
    assert asked == [2, 2, 1] * 3


def test_of_many_workers_one_sweeps(
    ledger: Ledger, store: ObjectStore, wake_ups: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept: list[Reconciler] = []
    looks: list[int] = []
    expire = ledger.items.expire_leases

    def sweep(one: Reconciler) -> int:
        swept.append(one)
        return 0

    def looked() -> int:
        looks.append(1)
        return expire()

    monkeypatch.setattr(Reconciler, "sweep", sweep)
    monkeypatch.setattr(ledger.items, "expire_leases", looked)
    workers = [made(ledger, store, wake_ups, sweep_every_s=60) for _ in range(3)]
    for one in workers:
        one.start()
    until(lambda: len(looks) >= 12)
    for one in workers:
        one.stop()
    assert len(swept) == 1


def test_sweeping_goes_on_by_itself(ledger: Ledger, store: ObjectStore, wake_ups: Recorded) -> None:
    store.put(original_key("alice", "0" * 32), b"orphan")
    ledger.tenants.set_quota("alice", 1)
    reconciler = made(ledger, store, wake_ups, orphan_age_s=0, audit_days=0)
    reconciler.start()
    until(lambda: not list(store.keys("")))
    until(lambda: not ledger.audit.list_entries(None, after=0, limit=9))
    reconciler.stop()
