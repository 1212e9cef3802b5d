"""What every ledger promises of webhooks and their messages."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from photoward.core.errors import Conflict, NotFound
from photoward.core.jobs import Callback, Details, State, new_id
from photoward.core.ledger import webhooks
from photoward.core.webhooks import ROTATION_GRACE, DeliveryState, Event
from tests.support.overlap import beginning, paused
from tests.support.samples import HOUR, OVER, added, claimed, failure, options, result, source

if TYPE_CHECKING:
    from photoward.core.ledger import Ledger
    from photoward.core.webhooks import Delivery, Webhook

NOW = timedelta(0)


def made(ledger: Ledger, tenant: str = "alice", *events: Event) -> Webhook:
    return ledger.webhooks.add(
        secrets.token_hex(8), tenant, "https://a.example/x", events or tuple(Event)
    )


def log(ledger: Ledger, hook: Webhook) -> list[Delivery]:
    return ledger.webhooks.list_deliveries(hook.tenant, hook.id, after=0, limit=100)


def due(ledger: Ledger, limit: int, lease: timedelta) -> list[tuple[Delivery, Webhook]]:
    """What a courier takes that sends to everybody."""
    return [
        (one, to)
        for to in ledger.webhooks.list_due()
        for one in ledger.webhooks.claim_deliveries(to.id, limit, lease)
    ]


def finished(ledger: Ledger, tenant: str = "alice") -> str:
    item = added(ledger, tenant)
    token, _ = claimed(ledger)
    ledger.items.complete(token, [result(item.id)])
    return item.id


def test_what_ends_is_told_to_those_who_want_it(ledger: Ledger) -> None:
    every, failures = made(ledger), made(ledger, "alice", Event.IMAGE_FAILED)
    others = made(ledger, "bob")
    good, bad = added(ledger), added(ledger)
    token, _ = claimed(ledger)
    ledger.items.complete(token, [result(good.id)])
    ledger.items.fail(token, [failure(bad.id)])
    done, failed = log(ledger, every)
    assert (done.event, failed.event) == (Event.IMAGE_SUCCEEDED, Event.IMAGE_FAILED)
    assert done.payload["type"] == "image.succeeded"
    assert done.payload["data"]["id"] == good.id
    assert done.payload["data"]["sha256"] == "cd" * 32
    assert failed.payload["data"]["code"] == "corrupt"
    assert [one.event for one in log(ledger, failures)] == [Event.IMAGE_FAILED]
    assert log(ledger, others) == []
    assert len({one.id for one in (*log(ledger, every), *log(ledger, failures))}) == 3


def test_a_canceled_batch_tells_of_each_image(ledger: Ledger) -> None:
    hook = made(ledger)
    batch = ledger.batches.add(new_id(), "alice", "", {})
    added(ledger, batch=batch.id)
    ledger.batches.cancel("alice", batch.id)
    (told,) = log(ledger, hook)
    assert (told.event, told.payload["data"]["state"]) == (Event.IMAGE_CANCELED, "canceled")


def test_a_closed_batch_is_told_of_at_once(ledger: Ledger) -> None:
    hook = made(ledger, "alice", Event.BATCH_COMPLETED)
    batch = ledger.batches.add(new_id(), "alice", "", {})
    item = added(ledger, batch=batch.id)
    ledger.batches.close("alice", batch.id)
    assert ended(ledger, hook) == []
    token, _ = claimed(ledger)
    ledger.items.complete(token, [result(item.id)])
    assert ended(ledger, hook) == [{"succeeded": 1}]
    empty = ledger.batches.add(new_id(), "alice", "", {})
    ledger.batches.close("alice", empty.id)
    assert ended(ledger, hook) == [{"succeeded": 1}, {}]


def callbacks(ledger: Ledger, tenant: str = "alice") -> list[Delivery]:
    return log(ledger, ledger.webhooks.of_callbacks(tenant))


def test_a_callback_is_for_one_image_only(ledger: Ledger) -> None:
    where = Callback("https://a.example/one", "https://photoward.example")
    details = Details(callback=where, reference="r")
    told, silent = new_id(), new_id()
    ledger.items.add(told, "alice", options(), source(), "sem/32", details=details)
    ledger.items.add(silent, "alice", options(), source(), "sem/32")
    every = made(ledger)
    token, _ = claimed(ledger)
    ledger.items.complete(token, [result(told), result(silent)])
    (one,) = callbacks(ledger)
    assert (one.url, one.base_url, one.event) == (where.url, where.base_url, Event.IMAGE_SUCCEEDED)
    assert one.payload["data"]["id"] == told
    assert {other.url for other in log(ledger, every)} == {None}
    assert len(log(ledger, every)) == 2


def test_a_callback_of_a_batch(ledger: Ledger) -> None:
    where = Callback("https://a.example/batch", "")
    batch = ledger.batches.add(new_id(), "alice", "", {}, details=Details(callback=where))
    item = added(ledger, batch=batch.id)
    ledger.batches.close("alice", batch.id)
    token, _ = claimed(ledger)
    ledger.items.complete(token, [result(item.id)])
    ledger.webhooks.list_due()
    (one,) = callbacks(ledger)
    assert (one.event, one.url) == (Event.BATCH_COMPLETED, where.url)


def test_callbacks_have_one_webhook_of_their_own(ledger: Ledger) -> None:
    hook = ledger.webhooks.of_callbacks("alice")
    assert ledger.webhooks.of_callbacks("alice") == hook
    assert ledger.webhooks.of_callbacks("bob").id != hook.id
    with pytest.raises(Conflict, match="callback"):
        ledger.webhooks.add_test("alice", hook.id)


def test_a_test_message_is_sent_to_an_enabled_webhook_only(ledger: Ledger) -> None:
    hook = made(ledger, "alice", Event.BATCH_COMPLETED)
    sent = ledger.webhooks.add_test("alice", hook.id)
    assert (sent.event, sent.payload["type"]) == (Event.TEST, "webhook.test")
    assert [one.id for one, _ in due(ledger, 9, HOUR)] == [sent.id]
    with pytest.raises(NotFound):
        ledger.webhooks.add_test("bob", hook.id)
    ledger.webhooks.disable(hook.id)
    with pytest.raises(Conflict, match="410"):
        ledger.webhooks.add_test("alice", hook.id)


def test_a_lost_worker_is_told_too(ledger: Ledger) -> None:
    hook = made(ledger)
    added(ledger)
    for _ in range(3):
        claimed(ledger, lease=OVER)
        ledger.items.expire_leases()
    (told,) = log(ledger, hook)
    assert told.payload["data"]["code"] == "worker_lost"


def ended(ledger: Ledger, hook: Webhook) -> list[dict[str, int]]:
    """What was told of batches, as soon as it is time."""
    ledger.webhooks.list_due()
    found = [one for one in log(ledger, hook) if one.event is Event.BATCH_COMPLETED]
    return [one.payload["data"]["counts"] for one in found]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch is at rest as soon as all in it has ended."""
    monkeypatch.setattr(webhooks, "BATCH_QUIET_PERIOD", NOW)


@pytest.mark.usefixtures("at_once")
def test_a_batch_is_told_of_once_when_its_last_item_ends(ledger: Ledger) -> None:
    hook = made(ledger, "alice", Event.BATCH_COMPLETED)
    batch = ledger.batches.add(new_id(), "alice", "holiday", {})
    items = [
        ledger.items.add(new_id(), "alice", options(), source(), "k", batch_id=batch.id)
        for _ in range(4)
    ]
    tokens = [claimed(ledger, limit=1)[0] for _ in items[:3]]
    for token, item in zip(tokens, items, strict=False):
        assert ended(ledger, hook) == []
        ledger.items.complete(token, [result(item.id)])
    ledger.batches.cancel("alice", batch.id)
    assert len(ended(ledger, hook)) == len(ended(ledger, hook)) == 1
    (told,) = log(ledger, hook)
    data = told.payload["data"]
    assert (data["id"], data["name"]) == (batch.id, "holiday")
    assert data["counts"] == {"succeeded": 3, "canceled": 1}


def test_a_batch_to_which_more_comes_is_told_of_when_that_is_over(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = made(ledger, "alice", Event.BATCH_COMPLETED)
    batch = ledger.batches.add(new_id(), "alice", "", {})
    for _ in range(3):
        item = added(ledger, batch=batch.id)
        token, _claim = claimed(ledger)
        ledger.items.complete(token, [result(item.id)])
        assert ended(ledger, hook) == []
    monkeypatch.setattr(webhooks, "BATCH_QUIET_PERIOD", NOW)
    last = [added(ledger, batch=batch.id) for _ in range(2)]
    for item in last:
        token, _claim = claimed(ledger, limit=1)
        ledger.items.complete(token, [result(item.id)])
        assert ended(ledger, hook) == ([] if item is last[0] else [{"succeeded": 5}])


@pytest.mark.usefixtures("at_once")
def test_a_batch_ends_when_its_last_unfinished_photo_is_deleted(ledger: Ledger) -> None:
    hook = made(ledger, "alice", Event.BATCH_COMPLETED)
    batch = ledger.batches.add(new_id(), "alice", "", {})
    done, left = (added(ledger, batch=batch.id) for _ in range(2))
    token, _ = claimed(ledger, limit=1)
    ledger.items.complete(token, [result(done.id)])
    assert ended(ledger, hook) == []
    ledger.items.delete("alice", left.id)
    assert ended(ledger, hook) == [{"succeeded": 1}]
    ledger.items.delete("alice", done.id)
    assert len(ended(ledger, hook)) == 1, "it had ended before"


@pytest.mark.usefixtures("at_once")
def test_the_last_two_of_a_batch_may_end_at_once(ledger: Ledger) -> None:
    hook = made(ledger, "alice", Event.BATCH_COMPLETED)
    batch = ledger.batches.add(new_id(), "alice", "", {})
    items = [
        ledger.items.add(new_id(), "alice", options(), source(), "k", batch_id=batch.id)
        for _ in range(8)
    ]
    claims = [(claimed(ledger, limit=1)[0], item.id) for item in items]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda claim: ledger.items.complete(claim[0], [result(claim[1])]), claims))
    assert ended(ledger, hook) == [{"succeeded": 8}]


def test_who_ends_photos_waits_for_who_removes_the_webhook_and_the_other_way_round(
    ledger: Ledger,
) -> None:
    hook, item = made(ledger), added(ledger)
    token, _ = claimed(ledger)
    with paused(ledger, "SELECT webhooks"):
        storing = beginning(lambda: ledger.items.complete(token, [result(item.id)]))
    removing = beginning(lambda: ledger.webhooks.delete("alice", hook.id))
    assert storing.result(10) == {item.id}
    removing.result(10)
    assert ledger.items.get("alice", item.id).state is State.DONE
    assert ledger.webhooks.list_all("alice") == []
    assert due(ledger, 9, HOUR) == []


def test_who_disables_a_webhook_and_who_removes_it_do_not_wait_for_each_other(
    ledger: Ledger,
) -> None:
    hook = made(ledger)
    finished(ledger)
    with paused(ledger, "UPDATE webhooks"):
        disabling = beginning(lambda: ledger.webhooks.disable(hook.id))
    removing = beginning(lambda: ledger.webhooks.delete("alice", hook.id))
    disabling.result(10)
    removing.result(10)
    assert ledger.webhooks.list_all("alice") == []


def test_a_message_is_taken_by_one_and_again_when_it_failed(ledger: Ledger) -> None:
    hook = made(ledger)
    finished(ledger)
    ((delivery, to),) = due(ledger, 9, HOUR)
    assert (to, delivery.attempts) == (hook, 1)
    assert due(ledger, 9, HOUR) == [], "somebody has it"
    ledger.webhooks.record_attempt(delivery, 500, None, NOW)
    ((again, _),) = due(ledger, 9, HOUR)
    assert (again.id, again.attempts, again.status) == (delivery.id, 2, 500)
    ledger.webhooks.record_attempt(delivery, 200, None, NOW)
    assert log(ledger, hook)[0].state is DeliveryState.PENDING, "the first attempt came too late"
    ledger.webhooks.record_attempt(again, None, "No answer.", None)
    assert [(one.state, one.error) for one in log(ledger, hook)] == [
        (DeliveryState.FAILED, "No answer.")
    ]  # fmt: skip
    assert ledger.webhooks.replay("alice", hook.id, delivery.id).attempts == 0
    ((last, _),) = due(ledger, 9, HOUR)
    ledger.webhooks.record_attempt(last, 204, None, NOW)
    assert log(ledger, hook)[0].state is DeliveryState.DELIVERED
    assert due(ledger, 9, HOUR) == []


def test_a_message_whose_courier_died_is_taken_again(ledger: Ledger) -> None:
    made(ledger)
    finished(ledger)
    ((first, _),) = due(ledger, 9, NOW)
    ((second, _),) = due(ledger, 9, HOUR)
    assert (second.id, second.attempts) == (first.id, 2)


def test_who_is_gone_is_told_nothing_more_until_it_is_rotated(ledger: Ledger) -> None:
    hook = made(ledger)
    finished(ledger)
    ledger.webhooks.disable(hook.id)
    finished(ledger)
    assert [one.state for one in log(ledger, hook)] == [DeliveryState.FAILED]
    assert due(ledger, 9, HOUR) == []
    assert ledger.webhooks.list_all("alice")[0].disabled_at
    rotated = ledger.webhooks.rotate_secret("alice", hook.id, ROTATION_GRACE)
    assert (rotated.secret_version, rotated.disabled_at) == (2, None)
    assert rotated.previous_secret_until is not None
    finished(ledger)
    assert len(due(ledger, 9, HOUR)) == 1


def test_messages_are_taken_webhook_by_webhook_and_oldest_first(ledger: Ledger) -> None:
    hooks = [made(ledger), made(ledger), made(ledger, "bob")]
    for _ in range(3):
        finished(ledger)
    assert {hook.id for hook in ledger.webhooks.list_due()} == {hook.id for hook in hooks[:2]}
    first = ledger.webhooks.claim_deliveries(hooks[0].id, 2, HOUR)
    assert [one.seq for one in first] == [one.seq for one in log(ledger, hooks[0])[:2]]
    assert len(ledger.webhooks.claim_deliveries(hooks[0].id, 2, HOUR)) == 1
    assert [hook.id for hook in ledger.webhooks.list_due()] == [hooks[1].id], (
        "of the first all are taken"
    )


def test_a_message_is_taken_by_one_of_many(ledger: Ledger) -> None:
    hook = made(ledger)
    for _ in range(20):
        finished(ledger)
    with ThreadPoolExecutor(8) as threads:
        taken = list(
            threads.map(lambda _: ledger.webhooks.claim_deliveries(hook.id, 4, HOUR), range(8))
        )
    found = [one.seq for some in taken for one in some]
    found += [
        one.seq for _ in range(5) for one in ledger.webhooks.claim_deliveries(hook.id, 4, HOUR)
    ]
    assert sorted(found) == [one.seq for one in log(ledger, hook)]


def test_foreign_webhooks_are_missing_ones(ledger: Ledger) -> None:
    hook = made(ledger)
    finished(ledger)
    (delivery,) = log(ledger, hook)
    for call in (
        lambda: ledger.webhooks.rotate_secret("bob", hook.id, ROTATION_GRACE),
        lambda: ledger.webhooks.delete("bob", hook.id),
        lambda: ledger.webhooks.list_deliveries("bob", hook.id, after=0, limit=9),
        lambda: ledger.webhooks.replay("bob", hook.id, delivery.id),
        lambda: ledger.webhooks.replay("alice", hook.id, "msg_" + 24 * "0"),
    ):
        with pytest.raises(NotFound):
            call()
    assert ledger.webhooks.list_all("alice") == [hook]
    assert ledger.webhooks.list_all("bob") == []


def test_what_is_removed_or_erased_leaves_no_message(ledger: Ledger) -> None:
    hook, other = made(ledger), made(ledger)
    finished(ledger)
    ledger.webhooks.delete("alice", hook.id)
    assert ledger.webhooks.list_all("alice") == [other]
    assert len(due(ledger, 9, NOW)) == 1
    ledger.tenants.erase("alice")
    assert ledger.webhooks.list_all("alice") == []
    assert due(ledger, 9, HOUR) == []


def test_old_messages_that_ended_are_forgotten(ledger: Ledger) -> None:
    hook = made(ledger)
    for _ in range(2):
        finished(ledger)
    ((delivery, _),) = due(ledger, 1, HOUR)
    ledger.webhooks.record_attempt(delivery, 200, None, None)
    assert ledger.webhooks.prune_deliveries(HOUR) == 0
    assert ledger.webhooks.prune_deliveries(NOW) == 1
    assert [one.state for one in log(ledger, hook)] == [DeliveryState.PENDING]
