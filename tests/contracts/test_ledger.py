"""What every ledger promises."""

from __future__ import annotations

import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from photoward.core.errors import BadInput, NotFound
from photoward.core.jobs import (
    FINAL_STATES,
    MAX_ATTEMPTS,
    Output,
    Priority,
    QueuedWork,
    Stage,
    State,
    new_id,
)
from photoward.core.ledger import open_ledger
from photoward.core.ledger.engine import make_engine
from photoward.core.ledger.tables import items
from tests.support.samples import (
    HOUR,
    OVER,
    added,
    claimed,
    failure,
    options,
    result,
    source,
)

if TYPE_CHECKING:
    from photoward.core.ledger import Ledger
    from photoward.core.settings import Settings


def test_an_upload_is_queued_as_it_was_given(ledger: Ledger) -> None:
    asked, original = options(epsilon=2.5, preset=None), source(filename="Ütö 📷.png")
    item = ledger.items.add(new_id(), "alice", asked, original, "sem/32")
    assert item == ledger.items.get("alice", item.id)
    assert (item.state, item.options, item.source) == (State.QUEUED, asked, original)
    assert (item.attempts, item.lease_token, item.output, item.measured) == (0, None, None, {})


def test_what_a_newer_version_keeps_besides_is_no_fault(
    ledger: Ledger, ledger_settings: Settings
) -> None:
    """While an upgrade rolls, workers of both versions take the same photos."""
    item = added(ledger)
    engine = make_engine(ledger_settings.database)
    with engine.begin() as connection:
        for column, kept in (("options", asdict(item.options)), ("source", asdict(item.source))):
            newer = {items.c[column]: kept | {"of_tomorrow": ["?"]}}
            connection.execute(update(items).where(items.c.id == item.id).values(newer))
    engine.dispose()
    assert ledger.items.get("alice", item.id) == item
    token, (leased,) = claimed(ledger)
    assert leased.options == item.options
    assert ledger.items.complete(token, [result(item.id)]) == {item.id}


def test_a_trace_reaches_the_worker(ledger: Ledger) -> None:
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    ledger.items.add(new_id(), "alice", options(), source(), "sem/32", traceparent=trace)
    added(ledger)
    (traced, untraced) = claimed(ledger)[1]
    assert (traced.traceparent, traced.trace_id) == (trace, "a" * 32)
    assert untraced.traceparent is untraced.trace_id is None


def test_a_method_may_have_no_strength(ledger: Ledger) -> None:
    asked = options(method="cuda", target="filter", epsilon=None, preset=None)
    item = ledger.items.add(new_id(), "alice", asked, source(), "cuda/32")
    assert ledger.items.get("alice", item.id).options == asked


def test_moments_are_aware_and_now(ledger: Ledger) -> None:
    item = ledger.items.get("alice", added(ledger).id)
    assert item.created_at.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - item.created_at) < timedelta(seconds=5)
    (leased,) = claimed(ledger)[1]
    assert leased.created_at == item.created_at < leased.updated_at


def test_the_same_id_twice_is_refused_and_changes_nothing(ledger: Ledger) -> None:
    first = added(ledger)
    with pytest.raises(ValueError, match="contradict"):
        ledger.items.add(first.id, "alice", options(label="other"), source(), "sem/32")
    assert ledger.items.get("alice", first.id) == first


@pytest.mark.parametrize("name", ["a\0b.png", "lone \udc80.png", "x" * 10_000])
def test_a_hostile_file_name_is_kept_in_some_form(ledger: Ledger, name: str) -> None:
    item = added(ledger, filename=name)
    assert ledger.items.get("alice", item.id).source.filename


def test_a_salt_is_made_once_for_each_tenant(ledger: Ledger) -> None:
    with ThreadPoolExecutor(8) as pool:
        salts = set(pool.map(lambda _: ledger.tenants.salt("alice"), range(16)))
    assert len(salts) == 1
    assert len(salts.pop()) == 16
    added(ledger, "bob")
    assert ledger.tenants.salt("alice") != ledger.tenants.salt("bob")


def test_a_foreign_item_is_a_missing_one(ledger: Ledger) -> None:
    item = added(ledger, "alice")
    for tenant, item_id in (("bob", item.id), ("alice", new_id()), ("alice", "' OR 1=1 --")):
        for call in (ledger.items.get, ledger.items.get_with_position, ledger.items.delete):
            with pytest.raises(NotFound) as caught:
                call(tenant, item_id)
            assert item.id not in str(caught.value)
    assert ledger.items.get("alice", item.id) == item


def test_first_come_first_served(ledger: Ledger) -> None:
    items = [added(ledger) for _ in range(7)]
    standing = [ledger.items.get_with_position("alice", item.id) for item in items]
    assert standing == [(item, place) for place, item in enumerate(items)]
    assert ledger.items.next_queued_id() == items[0].id
    for some in (items[:3], items[3:6], items[6:]):
        assert [item.id for item in claimed(ledger, limit=3)[1]] == [item.id for item in some]
    assert ledger.items.claim(limit=3, max_megapixels=9, lease=HOUR) == []
    assert ledger.items.next_queued_id() is None
    assert ledger.items.get_with_position("alice", items[0].id)[1] is None


def test_what_is_given_back_keeps_its_place(ledger: Ledger) -> None:
    first = added(ledger)
    token, _ = claimed(ledger)
    second = added(ledger)
    assert ledger.items.release(token) == 1
    assert ledger.items.get_with_position("alice", first.id)[1] == 0
    assert ledger.items.get_with_position("alice", second.id)[1] == 1


def test_a_claim_holds_only_what_fits_together(ledger: Ledger) -> None:
    a, b, c = (
        added(ledger, group_key="a"),
        added(ledger, group_key="b"),
        added(ledger, group_key="a"),
    )
    token, items = claimed(ledger)
    assert [item.id for item in items] == [a.id, c.id]
    assert {(item.state, item.lease_token, item.attempts) for item in items} == {
        (State.LEASED, token, 1)
    }  # fmt: skip
    assert items == [ledger.items.get("alice", item.id) for item in items]
    assert [item.id for item in claimed(ledger)[1]] == [b.id]


def test_tenants_share_a_batch(ledger: Ledger) -> None:
    added(ledger, "alice")
    added(ledger, "bob")
    assert {item.tenant for item in claimed(ledger)[1]} == {"alice", "bob"}


def test_a_claim_stops_at_its_megapixels(ledger: Ledger) -> None:
    items = [added(ledger, height=height) for height in (20_000, 2000, 3000, 1000)]
    assert ledger.items.queued_work()[Priority.INTERACTIVE] == QueuedWork(4, 26.0)
    # The first always fits.
    assert [item.id for item in claimed(ledger, max_megapixels=5)[1]] == [items[0].id]
    assert [item.id for item in claimed(ledger, max_megapixels=5)[1]] == [
        items[1].id, items[2].id,
    ]  # fmt: skip
    assert ledger.items.queued_work()[Priority.INTERACTIVE] == QueuedWork(1, 1.0)


def test_two_never_claim_the_same(ledger: Ledger, ledger_settings: Settings) -> None:
    ids = {added(ledger, group_key=f"key {n % 3}").id for n in range(150)}
    # As many processes would: each with connections and locks of its own.
    workers = [open_ledger(ledger_settings) for _ in range(5)]

    def drain(worker: Ledger) -> list[str]:
        mine: list[str] = []
        while items := worker.items.claim(limit=4, max_megapixels=1000, lease=HOUR):
            mine += [item.id for item in items]
        return mine

    with ThreadPoolExecutor(len(workers)) as pool:
        taken = [item_id for mine in pool.map(drain, workers) for item_id in mine]
    for worker in workers:
        worker.close()
    assert len(taken) == len(ids)
    assert set(taken) == ids


def test_a_renewed_claim_does_not_run_out(ledger: Ledger) -> None:
    items = [added(ledger), added(ledger)]
    token, _ = claimed(ledger, lease=OVER)
    assert ledger.items.renew_lease(token, HOUR, Stage.PERTURB) == 2
    assert ledger.items.expire_leases() == 0
    assert ledger.items.renew_lease(token, OVER) == 2
    assert ledger.items.get("alice", items[0].id).stage is Stage.PERTURB
    assert ledger.items.expire_leases() == 2
    assert ledger.items.renew_lease(token, HOUR) == 0
    assert ledger.items.get("alice", items[0].id).stage is None


def test_results_are_stored_and_final(ledger: Ledger) -> None:
    item = added(ledger)
    token, _ = claimed(ledger)
    measured = {"psnr": 30.5, "linf": 8, "scales": [1, 0.5], "nested": {"on": True}}
    assert ledger.items.complete(token, [result(item.id, measured=measured, label_used="7")]) == {
        item.id
    }
    done = ledger.items.get("alice", item.id)
    assert (done.state, done.lease_token, done.stage) == (State.DONE, None, None)
    assert done.output == Output("cd" * 32, 4321, "image/png")
    assert (done.measured, done.label_used, done.label_source) == (measured, "7", "given")
    assert ledger.items.complete(token, [result(item.id)]) == set()
    assert ledger.items.fail(token, [failure(item.id)]) == set()
    assert ledger.items.get("alice", item.id) == done


def test_an_infinite_measurement_is_kept_as_none(ledger: Ledger) -> None:
    item = added(ledger)
    token, _ = claimed(ledger)
    ledger.items.complete(
        token, [result(item.id, measured={"psnr": float("inf"), "all": [float("nan")]})]
    )
    assert ledger.items.get("alice", item.id).measured == {"psnr": None, "all": [None]}


def test_the_first_writer_wins(ledger: Ledger) -> None:
    item = added(ledger)
    slow, _ = claimed(ledger, lease=OVER)
    ledger.items.expire_leases()
    fast, _ = claimed(ledger)
    assert ledger.items.complete(slow, [result(item.id, label_used="slow")]) == set()
    assert ledger.items.complete(fast, [result(item.id, label_used="fast")]) == {item.id}
    assert ledger.items.complete(slow, [result(item.id, label_used="slow")]) == set()
    assert ledger.items.get("alice", item.id).label_used == "fast"


def test_only_what_the_token_holds_is_stored(ledger: Ledger) -> None:
    mine, other = added(ledger), added(ledger)
    token, _ = claimed(ledger, limit=1)
    claimed(ledger)
    wanted = [result(mine.id), result(other.id), result(new_id())]
    assert ledger.items.complete(token, wanted) == {mine.id}
    assert ledger.items.get("alice", other.id).state is State.LEASED


def test_a_failure_says_why(ledger: Ledger) -> None:
    bad, good = added(ledger), added(ledger)
    token, _ = claimed(ledger)
    assert ledger.items.fail(token, [failure(bad.id)]) == {bad.id}
    failed = ledger.items.get("alice", bad.id)
    assert (failed.state, failed.error_code) == (State.FAILED, "corrupt")
    assert failed.error_detail == "The decoder gave up."
    assert ledger.items.complete(token, [result(good.id)]) == {good.id}


def test_giving_back_does_not_count(ledger: Ledger) -> None:
    item = added(ledger)
    for _ in range(2 * MAX_ATTEMPTS):
        token, _ = claimed(ledger)
        assert ledger.items.release(token) == 1
    assert ledger.items.release(token) == 0
    assert ledger.items.get("alice", item.id).attempts == 0
    token, _ = claimed(ledger)
    assert ledger.items.release(token, counted=True) == 1
    assert claimed(ledger)[1][0].attempts == 2


def test_three_lost_workers_end_an_item(ledger: Ledger) -> None:
    item = added(ledger)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert ledger.items.get("alice", item.id).state is State.QUEUED
        _, (leased,) = claimed(ledger, lease=OVER)
        assert leased.attempts == attempt
        assert ledger.items.expire_leases() == 1
    lost = ledger.items.get("alice", item.id)
    assert (lost.state, lost.error_code, lost.lease_token) == (State.FAILED, "worker_lost", None)
    assert ledger.items.expire_leases() == 0


def test_what_kills_its_workers_takes_nobody_along(ledger: Ledger) -> None:
    innocent, poison, late = [added(ledger).id for _ in range(3)]
    while any(
        ledger.items.get("alice", one).attempts < MAX_ATTEMPTS - 1 for one in (innocent, late)
    ):
        claimed(ledger, lease=OVER)
        ledger.items.expire_leases()
    alone = [[item.id for item in claimed(ledger, lease=OVER)[1]] for _ in range(3)]
    assert alone == [[innocent], [poison], [late]]


def test_cancelling_hides_and_wipes(ledger: Ledger, ledger_settings: Settings) -> None:
    item = added(ledger, filename="secret-name.png", sha256="fe" * 32)
    token, _ = claimed(ledger)
    ledger.items.complete(token, [result(item.id, label_used="my cat", measured={"psnr": 12.345})])
    before = ledger.items.get("alice", item.id)
    assert ledger.items.delete("alice", item.id) == before
    for call in (ledger.items.get, ledger.items.delete):
        with pytest.raises(NotFound):
            call("alice", item.id)
    assert ledger.items.states([item.id]) == {}
    assert ledger.items.count_by_state() == {}
    row = _raw_row(ledger_settings, item.id)
    assert "done" in row
    for trace in ("secret-name", "my cat", "12.345", "fe" * 8, "cd" * 8):
        assert trace not in row


def test_a_cancelled_item_is_never_worked_on(ledger: Ledger) -> None:
    queued, leased = added(ledger, group_key="a"), added(ledger, group_key="b")
    assert ledger.items.delete("alice", queued.id).state is State.QUEUED
    token, items = claimed(ledger, lease=OVER)
    assert [item.id for item in items] == [leased.id]
    assert ledger.items.delete("alice", leased.id).state is State.LEASED
    assert ledger.items.renew_lease(token, HOUR) == 0
    assert ledger.items.complete(token, [result(leased.id)]) == set()
    assert (ledger.items.release(token), ledger.items.expire_leases()) == (0, 0)
    assert ledger.items.queued_work() == {
        Priority.INTERACTIVE: QueuedWork(),
        Priority.BULK: QueuedWork(),
    }


def test_states_answers_for_thousands(ledger: Ledger) -> None:
    first, *others = [added(ledger).id for _ in range(3)]
    claimed(ledger, limit=1)
    expected = {first: State.LEASED, **dict.fromkeys(others, State.QUEUED)}
    assert ledger.items.states([*expected, *(new_id() for _ in range(3000))]) == expected
    assert ledger.items.states([]) == {}


def test_depth_counts_each_state(ledger: Ledger) -> None:
    items = [added(ledger) for _ in range(6)]
    token, _ = claimed(ledger, limit=3)
    ledger.items.complete(token, [result(items[0].id)])
    ledger.items.fail(token, [failure(items[1].id)])
    ledger.items.delete("alice", items[5].id)
    assert ledger.items.count_by_state() == {
        State.QUEUED: 2, State.LEASED: 1, State.DONE: 1, State.FAILED: 1,
    }  # fmt: skip


def test_everything_outlives_a_restart(ledger: Ledger, ledger_settings: Settings) -> None:
    item, salt = added(ledger), ledger.tenants.salt("alice")
    token, _ = claimed(ledger)
    ledger.close()
    again = open_ledger(ledger_settings)
    assert again.tenants.salt("alice") == salt
    assert again.items.complete(token, [result(item.id)]) == {item.id}
    again.check()
    again.close()


def test_many_may_start_at_once(ledger_settings: Settings) -> None:
    program = (
        "from photoward.core.ledger import open_ledger\n"
        "from photoward.core.settings import Settings\n"
        "print('ready', flush=True), input()\n"
        "ledger = open_ledger(Settings())\n"
        "print(ledger.tenants.salt('alice').hex())\n"
        "ledger.close()\n"
    )
    env = {"PHOTOWARD_DATABASE_URL": ledger_settings.database, "PYTHONPATH": ":".join(sys.path)}
    starting = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program],
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=env,
        )
        for _ in range(4)
    ]
    for process in starting:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in starting:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60)[0] for process in starting]
    assert [process.returncode for process in starting] == [0] * 4
    assert len(set(said)) == 1


def test_whatever_workers_do_each_item_ends_once(ledger: Ledger, ledger_settings: Settings) -> None:
    """Stores, failures, lost leases and cancellations all at the same time."""
    ids = [added(ledger, group_key=f"key {n % 2}").id for n in range(60)]
    workers = [open_ledger(ledger_settings) for _ in range(5)]

    def work(seed: int) -> list[str]:
        chance, ended = random.Random(seed), list[str]()
        ledger = workers[seed]
        while items := ledger.items.claim(
            limit=chance.randint(1, 8), max_megapixels=1000, lease=chance.choice([OVER, HOUR])
        ):
            token = items[0].lease_token or ""
            some = [item.id for item in items[: chance.randint(0, len(items))]]
            if chance.random() < 0.5:
                ledger.items.expire_leases()
            if chance.random() < 0.3:
                ledger.items.renew_lease(token, chance.choice([OVER, HOUR]))
            ended += ledger.items.complete(token, [result(item_id) for item_id in some[::2]])
            ended += ledger.items.fail(token, [failure(item_id) for item_id in some])
            if chance.random() < 0.5:
                ledger.items.expire_leases()
            ledger.items.release(token)
        return ended

    with ThreadPoolExecutor(6) as pool:
        runs = [pool.submit(work, seed) for seed in range(5)]
        doomed = pool.submit(
            lambda: [ledger.items.delete("alice", item_id) for item_id in ids[::10]]
        )
        before = {item.id: item for item in doomed.result(30)}
        ended = [item_id for run in runs for item_id in run.result(30)]
    for worker in workers:
        worker.close()
    assert len(ended) == len(set(ended))
    for item_id in ids:
        item = before.get(item_id) or ledger.items.get("alice", item_id)
        reported = item.state in FINAL_STATES and item.error_code != "worker_lost"
        assert (item_id in ended) == reported
        assert item.state in FINAL_STATES or item_id in before


def _raw_row(settings: Settings, item_id: str) -> str:
    """Everything that the database holds of an item, as text."""
    from sqlalchemy import create_engine, text  # noqa: PLC0415  # the one test that looks inside

    url = settings.database.replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(url)
    with engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM items WHERE id = :id"), {"id": item_id}).one()
    engine.dispose()
    return str(tuple(row))


def test_a_kind_may_have_a_limit_of_its_own(ledger: Ledger) -> None:
    for key in 3 * ["slow"] + 3 * ["quick"] + 3 * ["new"]:
        added(ledger, group_key=key)
    limits = {"slow": 1, "quick": 3}
    found = [
        ledger.items.claim(limit=2, limits=limits, max_megapixels=99, lease=HOUR) for _ in range(6)
    ]
    assert [len(batch) for batch in found] == [1, 1, 1, 3, 2, 1]
    assert [batch[0].group_key for batch in found] == [*3 * ["slow"], "quick", "new", "new"]


def test_a_value_that_the_database_cannot_hold_is_the_callers(ledger: Ledger) -> None:
    if ledger._engine.name == "sqlite":
        pytest.skip("SQLite holds it")
    with pytest.raises(BadInput) as refused:
        ledger.batches.add(new_id(), "alice", "a\0b", {})
    assert "a\0b" not in str(refused.value)


def test_a_duty_is_one_callers_in_a_period(ledger: Ledger) -> None:
    with ThreadPoolExecutor(8) as threads:
        taken = list(threads.map(lambda _: ledger.periodic_tasks.claim("sweep", HOUR), range(8)))
    assert sorted(taken) == [False] * 7 + [True]
    assert ledger.periodic_tasks.claim("another", timedelta(0))
    assert ledger.periodic_tasks.claim("another", HOUR)
    assert not ledger.periodic_tasks.claim("another", HOUR)
