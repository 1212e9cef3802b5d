"""One claimed batch to its end, over a real ledger, a real store and a stand-in for the noise."""

from __future__ import annotations

import hashlib
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from prometheus_client import REGISTRY

from photoward.core.errors import BadInput, NotFound, PhotowardError, Unavailable
from photoward.core.jobs import Item, Stage, State, new_id
from photoward.core.object_keys import original_key, output_key, output_keys
from photoward.worker.batch_sizer import BatchSizer
from photoward.worker.job_group import JobGroupWorker
from photoward.worker.pipeline import BatchStats, Job, Protected, Refused
from tests.support.samples import OVER, claimed, options, sides, source

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from photoward.core.ledger import Ledger
    from photoward.core.storage import ObjectStore
    from photoward.worker.pipeline import Pipeline

MASTER = bytes(range(32))
WHOLE = 1000
"""Width of the photos."""


class Fake:
    """A pipeline that puts ``safe `` before what it gets, and does as it is told meanwhile."""

    def __init__(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.meanwhile = meanwhile
        self.jobs: list[Job] = []
        self.waited_s = 0.0
        self.memory_share = 1.0

    def protect(
        self, jobs: Sequence[Job], on_stage: Callable[[Stage], None], stats: BatchStats
    ) -> list[Protected | Refused]:
        self.jobs += jobs
        stats.waited_s, stats.memory_share = self.waited_s, self.memory_share
        on_stage(Stage.PERTURB)
        self.meanwhile()
        return [self._one(job) for job in jobs]

    def _one(self, job: Job) -> Protected | Refused:
        if b"slow" in job.data:
            return Refused(job.id, PhotowardError("timed_out", "It was not done."))
        if b"bad" in job.data:
            return Refused(job.id, BadInput("corrupt", "It is bad."))
        measured = {"linf": 8, "seconds": {"decode": 0.1}}
        size = job.width, job.height
        safe = b"safe " + job.data
        if job.width != WHOLE:
            safe += b" of %d by %d" % size
            if b"no thumbnail" in job.data and max(size) < 100:
                return Refused(job.id, BadInput("corrupt", "It is bad when it is small."))
        return Protected(job.id, job.rendition, safe, "image/png", "cat", "predicted", measured)


class Bench:
    """Ledger, store and worker with what the tests ask of them."""

    def __init__(self, ledger: Ledger, store: ObjectStore) -> None:
        self.ledger = ledger
        self.store = store
        self.sizer = BatchSizer(2.0, 64)

    def upload(
        self,
        data: bytes,
        tenant: str = "alice",
        sizes: tuple[int, ...] = (),
        *,
        protected: bool = False,
    ) -> str:
        item_id = new_id()
        self.store.put(original_key(tenant, item_id), data)
        digest = hashlib.sha256(data).hexdigest()
        original = source(sha256=digest, protected=protected)
        self.ledger.items.add(item_id, tenant, options(renditions=sides(*sizes)), original, "key")
        return item_id

    def work(self, pipeline: Fake | Pipeline, items: list[Item] | None = None) -> int:
        if items is None:
            _, items = claimed(self.ledger)
        worker = JobGroupWorker(
            ledger=self.ledger,
            store=self.store,
            pipeline=pipeline,  # type: ignore[arg-type]  # all that is used of one
            sizer=self.sizer,
            master=MASTER,
            lease_s=60,
        )
        return worker.work_off(items)

    def item(self, item_id: str) -> Item:
        return self.ledger.items.get("alice", item_id)

    def kept(self) -> set[str]:
        return {key for key, _ in self.store.keys("")}


@pytest.fixture
def bench(ledger: Ledger, store: ObjectStore) -> Bench:
    return Bench(ledger, store)


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_good_ones_are_done_and_bad_ones_failed(bench: Bench) -> None:
    good, bad = bench.upload(b"one"), bench.upload(b"bad two")
    done = counted("photoward_items_finished_total", state="done", code="")
    failed = counted("photoward_items_finished_total", state="failed", code="corrupt")
    assert bench.work(Fake()) == 2
    item = bench.item(good)
    assert item.state is State.DONE
    assert item.output is not None
    assert bench.store.get(output_key("alice", good)) == b"safe one"
    assert item.output.sha256 == hashlib.sha256(b"safe one").hexdigest()
    assert (item.label_used, item.label_source) == ("cat", "predicted")
    assert item.measured["linf"] == 8
    assert (bench.item(bad).state, bench.item(bad).error_code) == (State.FAILED, "corrupt")
    assert bench.kept() == {output_key("alice", good)}, "originals go when their item has ended"
    assert counted("photoward_items_finished_total", state="done", code="") == done + 1
    assert counted("photoward_items_finished_total", state="failed", code="corrupt") == failed + 1


def test_a_set_of_renditions_is_done_as_one_or_not_at_all(bench: Bench) -> None:
    whole = bench.upload(b"one", sizes=(2000, 1000, 500, 50))
    partly = bench.upload(b"no thumbnail", sizes=(500, 50))
    assert bench.work(Fake()) == 2
    output = bench.item(whole).output
    assert output is not None
    assert [(one.width, one.height) for one in output.renditions] == [(500, 500), (50, 50)]
    keys = output_keys(bench.item(whole))
    assert list(keys) == ["1000x1000", "500x500", "50x50"], "nothing is enlarged"
    told = [(file.sha256, file.size) for file in output.files]
    ends = (b"", b" of 500 by 500", b" of 50 by 50")
    for key, end, file in zip(keys.values(), ends, told, strict=True):
        data = bench.store.get(key)
        assert data == b"safe one" + end
        assert file == (hashlib.sha256(data).hexdigest(), len(data))
    assert (bench.item(partly).state, bench.item(partly).error_code) == (State.FAILED, "corrupt")
    assert bench.kept() == set(keys.values())


def test_of_a_set_that_was_cancelled_meanwhile_nothing_is_left(bench: Bench) -> None:
    item_id = bench.upload(b"one", sizes=(500, 50))
    assert bench.work(Fake(lambda: bench.ledger.items.delete("alice", item_id))) == 0
    assert bench.kept() == set()


def test_each_tenant_has_a_secret_of_its_own(bench: Bench) -> None:
    bench.upload(b"same")
    bench.upload(b"same", tenant="bob")
    bench.upload(b"same")
    fake = Fake()
    bench.work(fake)
    first, other, again = (job.secret for job in fake.jobs)
    assert first == again != other
    assert MASTER not in (first, other)


def test_an_original_that_is_gone_is_our_fault_alone(bench: Bench) -> None:
    gone, good = bench.upload(b"one"), bench.upload(b"two")
    bench.store.delete(original_key("alice", gone))
    assert [bench.work(Fake()) for _ in range(3)] == [1, 0, 1]
    assert bench.item(gone).error_code == "internal_error"
    assert bench.item(good).state is State.DONE


def test_an_original_that_was_altered_is_not_worked_on(bench: Bench) -> None:
    altered = bench.upload(b"one")
    bench.store.put(original_key("alice", altered), b"another")
    fake = Fake()
    for _ in range(3):
        bench.work(fake)
    assert fake.jobs == []
    assert bench.item(altered).error_code == "internal_error"
    assert bench.kept() == {original_key("alice", altered)}, "kept: it may be tried again"


def test_what_failed_by_our_fault_is_tried_three_times(bench: Bench) -> None:
    slow, good, bad = (bench.upload(data) for data in (b"slow", b"good", b"bad"))
    assert bench.work(Fake()) == 2
    assert bench.item(good).state is State.DONE
    assert bench.item(bad).state is State.FAILED
    for attempts in (1, 2):
        assert (bench.item(slow).state, bench.item(slow).attempts) == (State.QUEUED, attempts)
        bench.work(Fake())
    item = bench.item(slow)
    assert (item.state, item.error_code, item.attempts) == (State.FAILED, "timed_out", 3)
    assert original_key("alice", slow) in bench.kept(), "kept: it may be tried again"


def test_the_first_output_stays(bench: Bench) -> None:
    item_id = bench.upload(b"one")
    bench.store.put(output_key("alice", item_id), b"of a worker that died before it told")
    bench.work(Fake())
    output = bench.item(item_id).output
    assert output is not None
    kept = bench.store.get(output_key("alice", item_id))
    assert kept == b"of a worker that died before it told"
    assert (output.sha256, output.size) == (hashlib.sha256(kept).hexdigest(), len(kept))


def test_what_was_cancelled_meanwhile_leaves_nothing(bench: Bench) -> None:
    item_id = bench.upload(b"one")

    def cancel() -> None:
        bench.ledger.items.delete("alice", item_id)
        bench.store.delete(original_key("alice", item_id))
        bench.store.delete(output_key("alice", item_id))

    assert bench.work(Fake(cancel)) == 0
    assert bench.kept() == set()
    with pytest.raises(NotFound):
        bench.item(item_id)


def test_what_another_worker_finished_meanwhile_is_left_to_it(bench: Bench) -> None:
    item_id = bench.upload(b"one")
    _, late = claimed(bench.ledger, lease=OVER)

    def overtake() -> None:
        bench.ledger.items.expire_leases()
        assert bench.work(Fake()) == 1

    # The late one's claim has run out before it begins; it renews nothing that it does not hold.
    bench.ledger.items.expire_leases()
    assert bench.work(Fake(overtake), late) == 0
    assert bench.item(item_id).state is State.DONE
    assert bench.kept() == {output_key("alice", item_id)}


def test_a_failure_that_came_too_late_is_not_counted(bench: Bench) -> None:
    item_id = bench.upload(b"bad one")
    before = counted("photoward_items_finished_total", state="failed", code="corrupt")
    assert bench.work(Fake(lambda: bench.ledger.items.delete("alice", item_id))) == 0
    assert counted("photoward_items_finished_total", state="failed", code="corrupt") == before


@pytest.mark.parametrize("error", [Unavailable("Away."), SystemExit(), KeyboardInterrupt()])
def test_who_must_stop_gives_the_batch_back_and_no_attempt_counts(
    bench: Bench, error: BaseException
) -> None:
    item_id = bench.upload(b"one")

    def fail() -> None:
        raise error

    for _ in range(5):
        with pytest.raises(type(error)):
            bench.work(Fake(fail))
        assert bench.item(item_id).state is State.QUEUED
        assert bench.item(item_id).attempts == 0
    assert bench.kept() == {original_key("alice", item_id)}


def test_a_store_that_goes_away_gives_the_batch_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    item_id = bench.upload(b"one")

    def away(*_: object, **__: object) -> None:
        raise Unavailable("The store is away.")

    with monkeypatch.context() as patch:
        patch.setattr(bench.store, "put", away)
        with pytest.raises(Unavailable):
            bench.work(Fake())
    assert bench.item(item_id).state is State.QUEUED
    assert bench.work(Fake()) == 1
    assert bench.item(item_id).attempts == 1


def test_a_ledger_that_is_away_as_well_changes_nothing_of_the_error(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.upload(b"one")

    def away(*_: object, **__: object) -> None:
        raise Unavailable("The ledger is away.")

    monkeypatch.setattr(bench.ledger.items, "complete", away)
    monkeypatch.setattr(bench.ledger.items, "release", away)
    with pytest.raises(Unavailable, match="ledger"):
        bench.work(Fake())


def test_what_always_breaks_ends_after_three_attempts_and_blocks_nobody(bench: Bench) -> None:
    poison = bench.upload(b"one")
    other = bench.upload(b"two")

    def breaks() -> None:
        raise KeyError("nobody foresaw this")

    for attempt in (1, 2, 3):
        _, items = claimed(bench.ledger, limit=1)
        assert [item.id for item in items] == [poison]
        with pytest.raises(KeyError):
            bench.work(Fake(breaks), items)
        assert bench.item(poison).attempts == attempt
        assert bench.item(poison).state is State.LEASED
        if attempt == 1:  # others need not wait for it
            assert bench.work(Fake()) == 1
            assert bench.item(other).state is State.DONE
        bench.ledger.items.renew_lease(items[0].lease_token or "", timedelta(0))
        bench.ledger.items.expire_leases()
    assert (bench.item(poison).state, bench.item(poison).error_code) == (
        State.FAILED,
        "worker_lost",
    )


def test_a_batch_teaches_how_long_it_took_by_itself(bench: Bench) -> None:
    def cost(name: str) -> float:
        return REGISTRY.get_sample_value(f"photoward_job_group_{name}", {"group_key": "key"}) or 0.0

    for _ in range(2):
        bench.upload(b"a photo")
    pipeline = Fake(lambda: time.sleep(0.2))
    pipeline.waited_s = 0.1
    assert bench.work(pipeline) == 2
    assert 0.05 <= cost("item_seconds") < 1
    assert cost("fixed_seconds") == 0
    assert cost("limit") == bench.sizer.sizes()["key"] > 1


def test_a_batch_that_memory_did_not_hold_makes_the_next_ones_smaller(bench: Bench) -> None:
    pipeline = Fake()
    for _ in range(6):
        bench.upload(b"a photo")
    pipeline.memory_share = 0.5
    assert bench.work(pipeline) == 6
    assert bench.sizer.sizes() == {"key": 3}


def test_a_batch_that_was_given_back_teaches_nothing(bench: Bench) -> None:
    def away() -> None:
        raise Unavailable("The store is away.")

    bench.upload(b"a photo")
    with pytest.raises(Unavailable):
        bench.work(Fake(away))
    assert bench.sizer.sizes() == {}


def test_what_is_protected_already_is_left_as_it_is(bench: Bench) -> None:
    own, photo = bench.upload(b"safe already", protected=True), bench.upload(b"one")
    pipeline = Fake()
    assert bench.work(pipeline) == 2
    assert [job.id for job in pipeline.jobs] == [photo]
    item = bench.item(own)
    assert item.state is State.DONE
    assert bench.store.get(output_key("alice", own)) == b"safe already"
    assert item.output is not None
    assert item.output.sha256 == item.source.sha256
    assert (item.label_used, item.label_source) == (None, None)
    assert "protected already" in item.measured["notes"][0]
    assert bench.kept() == {output_key("alice", own), output_key("alice", photo)}
