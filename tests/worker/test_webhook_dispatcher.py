"""Messages to receivers on loopback: signed, tried again, never to where they must not go."""

from __future__ import annotations

import http.server
import json
import secrets
import socket
import threading
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from photoward.core.jobs import Callback, Details, new_id
from photoward.core.key_derivation import webhook_secret
from photoward.core.safe_http import post
from photoward.core.webhooks import RETRY_DELAYS, ROTATION_GRACE, DeliveryState, Event, retry_delay
from photoward.worker import delivery_slots
from photoward.worker.webhook_dispatcher import WebhookDispatcher
from tests.support.receiver import dripping
from tests.support.samples import added, claimed, options, result, source
from tests.support.sites import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from photoward.core.ledger import Ledger
    from photoward.core.webhooks import Delivery, Webhook

MASTER = bytes(range(32))


class Receiver(http.server.BaseHTTPRequestHandler):
    """Answers as it is told and remembers what came."""

    answers: ClassVar[list[int]] = []
    came: ClassVar[list[tuple[dict[str, str], bytes]]] = []
    elsewhere: ClassVar[str] = "http://127.0.0.1:1/elsewhere"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.came.append((dict(self.headers), body))
        status = self.answers.pop(0) if self.answers else 200
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", self.elsewhere)
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def receiving(*answers: int) -> Iterator[str]:
    Receiver.answers, Receiver.came = list(answers), []
    with serving(Receiver) as url:
        yield f"{url}/hook?a=1"


@pytest.fixture
def dispatcher(ledger: Ledger) -> Iterator[WebhookDispatcher]:
    made = WebhookDispatcher(ledger, MASTER, private=True, every_s=0.01)
    yield made
    assert made.settled(30)


def delivered(dispatcher: WebhookDispatcher) -> int:
    """Try everything that is due once; how many messages that were."""
    begun = dispatcher.deliver()
    assert dispatcher.settled(30)
    return begun


def told(ledger: Ledger, url: str, tenant: str = "alice", messages: int = 1) -> Webhook:
    """A webhook with some messages."""
    hook = ledger.webhooks.add(secrets.token_hex(8), tenant, url, {Event.IMAGE_SUCCEEDED})
    for _ in range(messages):
        item = added(ledger, tenant)
        token, _ = claimed(ledger)
        ledger.items.complete(token, [result(item.id)])
    return hook


def log(ledger: Ledger, hook: Webhook) -> Delivery:
    (delivery,) = ledger.webhooks.list_deliveries(hook.tenant, hook.id, after=0, limit=9)
    return delivery


def until(condition: Callable[[], bool], within_s: float = 10.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts of half a second."""
    monkeypatch.setattr("photoward.worker.webhook_dispatcher.post", partial(post, whole_s=0.5))


def test_a_message_can_be_verified_with_the_secret_that_was_shown(
    ledger: Ledger, dispatcher: WebhookDispatcher
) -> None:
    with receiving() as url:
        hook = told(ledger, url)
        assert delivered(dispatcher) == 1
        assert delivered(dispatcher) == 0
    ((headers, body),) = Receiver.came
    own = webhook_secret(MASTER, hook.id, 1)
    assert Verifier(own).verify(body, headers)["type"] == "image.succeeded"
    assert headers["webhook-id"] == log(ledger, hook).id
    with pytest.raises(WebhookVerificationError):
        Verifier(webhook_secret(bytes(32), hook.id, 1)).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(own).verify(body.replace(b"succeeded", b"exceeded!"), headers)
    assert (log(ledger, hook).state, log(ledger, hook).status) == (DeliveryState.DELIVERED, 200)


def test_a_callback_goes_to_its_own_url_and_410_ends_only_itself(
    ledger: Ledger, dispatcher: WebhookDispatcher
) -> None:
    with receiving(410, 200) as url:
        for name in ("a", "b"):
            details = Details(callback=Callback(f"{url}&n={name}", "https://photoward.example/x"))
            ledger.items.add(new_id(), "alice", options(), source(), "sem/32", details=details)
            token, (item,) = claimed(ledger)
            ledger.items.complete(token, [result(item.id)])
            assert delivered(dispatcher) == 1
    hook = ledger.webhooks.of_callbacks("alice")
    first, second = ledger.webhooks.list_deliveries("alice", hook.id, after=0, limit=9)
    assert (first.state, second.state) == (DeliveryState.FAILED, DeliveryState.DELIVERED)
    headers, body = Receiver.came[-1]
    told = Verifier(webhook_secret(MASTER, hook.id, 1)).verify(body, headers)
    here = f"https://photoward.example/x/v1/images/{item.id}"
    assert told["data"]["links"] == {"self": here, "content": f"{here}/content"}


def test_the_public_url_of_the_settings_comes_first(ledger: Ledger) -> None:
    public = "https://public.example"
    dispatcher = WebhookDispatcher(ledger, MASTER, private=True, every_s=0.01, public_url=public)
    with receiving() as url:
        hook = told(ledger, url)
        assert delivered(dispatcher) == 1
    assert json.loads(Receiver.came[0][1])["data"]["links"]["self"].startswith(f"{public}/v1/")
    assert log(ledger, hook).payload["data"]["links"]["self"].startswith("/v1/")


def test_after_a_rotation_both_secrets_verify_for_a_while(
    ledger: Ledger, dispatcher: WebhookDispatcher
) -> None:
    with receiving() as url:
        hook = told(ledger, url)
        ledger.webhooks.rotate_secret("alice", hook.id, ROTATION_GRACE)
        delivered(dispatcher)
        ((headers, body),) = Receiver.came
        for version in (1, 2):
            Verifier(webhook_secret(MASTER, hook.id, version)).verify(body, headers)
        ledger.webhooks.rotate_secret("alice", hook.id, -ROTATION_GRACE)
        ledger.webhooks.replay("alice", hook.id, log(ledger, hook).id)
        delivered(dispatcher)
    headers, body = Receiver.came[-1]
    Verifier(webhook_secret(MASTER, hook.id, 3)).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(webhook_secret(MASTER, hook.id, 2)).verify(body, headers)


@pytest.mark.parametrize("status", [500, 404, 302, 429])
def test_what_is_not_taken_waits_for_its_next_try(
    status: int, ledger: Ledger, dispatcher: WebhookDispatcher
) -> None:
    with receiving(status) as url:
        hook = told(ledger, url)
        delivered(dispatcher)
        assert delivered(dispatcher) == 0, "not yet"
    delivery = log(ledger, hook)
    assert (delivery.state, delivery.status, delivery.attempts) == (
        DeliveryState.PENDING,
        status,
        1,
    )
    wait = (delivery.next_attempt_at - delivery.created_at).total_seconds()
    assert 4 < wait < 15
    assert len(Receiver.came) == 1, "a redirect is not followed"


def test_who_is_gone_is_not_asked_again(ledger: Ledger, dispatcher: WebhookDispatcher) -> None:
    with receiving(410) as url:
        hook = told(ledger, url)
        delivered(dispatcher)
    assert ledger.webhooks.list_all("alice")[0].disabled_at
    assert log(ledger, hook).state is DeliveryState.FAILED


def test_nobody_there_is_no_end(ledger: Ledger, dispatcher: WebhookDispatcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    hook = told(ledger, f"http://127.0.0.1:{port}/x")
    delivered(dispatcher)
    assert (log(ledger, hook).status, log(ledger, hook).state) == (None, DeliveryState.PENDING)
    assert log(ledger, hook).error == "No answer.", "not even whether there is such a host"


def test_it_runs_by_itself_and_ends_when_it_is_told_to(ledger: Ledger) -> None:
    dispatcher = WebhookDispatcher(ledger, MASTER, private=True, every_s=0.01)
    with receiving() as url:
        hook = told(ledger, url)
        dispatcher.start()
        for _ in range(500):
            if log(ledger, hook).state is DeliveryState.DELIVERED:
                break
            threading.Event().wait(0.01)
        dispatcher.stop()
    assert log(ledger, hook).state is DeliveryState.DELIVERED


@pytest.mark.usefixtures("short")
def test_who_drips_is_given_up_and_tried_again(
    ledger: Ledger, dispatcher: WebhookDispatcher
) -> None:
    with dripping() as (url, _):
        hook = told(ledger, url)
        assert delivered(dispatcher) == 1
    delivery = log(ledger, hook)
    assert (delivery.state, delivery.status) == (DeliveryState.PENDING, None)
    assert delivery.error == "No answer."


def test_a_slow_receiver_keeps_nobody_elses_message(
    ledger: Ledger, dispatcher: WebhookDispatcher
) -> None:
    """Neither another tenant's, nor its own tenant's to others; it gets a few at once itself."""
    with dripping() as (url, callers), receiving() as good:
        told(ledger, url, "mallory", messages=2 * delivery_slots.MAX_IN_FLIGHT)
        assert dispatcher.deliver() == delivery_slots.MAX_PER_WEBHOOK
        until(lambda: len(callers) == delivery_slots.MAX_PER_WEBHOOK)
        hooks = [told(ledger, good), told(ledger, good, "mallory")]
        assert dispatcher.deliver() == 2
        for hook in hooks:
            until(lambda hook=hook: log(ledger, hook).state is DeliveryState.DELIVERED)  # type: ignore[misc]  # bound default
        assert len(callers) == delivery_slots.MAX_PER_WEBHOOK


@pytest.mark.usefixtures("short")
def test_many_tenants_with_slow_receivers_keep_a_good_one_for_one_attempt_at_most(
    ledger: Ledger, dispatcher: WebhookDispatcher
) -> None:
    """All places are theirs, and so would be each that comes free, were they served by age."""
    tenants = [f"mallory-{number}" for number in range(delivery_slots.MAX_IN_FLIGHT + 8)]
    with dripping() as (url, callers), receiving() as good:
        for tenant in tenants:
            told(ledger, url, tenant, messages=2)
        dispatcher.start()
        until(lambda: len(callers) >= delivery_slots.MAX_IN_FLIGHT)
        began = time.monotonic()
        hook = told(ledger, good)
        until(lambda: log(ledger, hook).state is DeliveryState.DELIVERED)
        took = time.monotonic() - began
        dispatcher.stop()
    assert took < 5


def test_the_end_does_not_wait_for_a_slow_receiver(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("photoward.worker.webhook_dispatcher.SHUTDOWN_WAIT_S", 0.2)
    dispatcher = WebhookDispatcher(ledger, MASTER, private=True, every_s=0.01)
    with dripping() as (url, callers):
        hook = told(ledger, url)
        dispatcher.start()
        until(lambda: bool(callers))
        began = time.monotonic()
        dispatcher.stop()
        assert time.monotonic() - began < 2
        assert log(ledger, hook).state is DeliveryState.PENDING, "another dispatcher's"
        for one in callers:
            one.shutdown(socket.SHUT_RDWR)
        assert dispatcher.settled(5)


def test_one_odd_message_stops_no_other(
    ledger: Ledger, dispatcher: WebhookDispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sent(url: str, body: bytes, headers: dict[str, str], *, private: bool) -> int:
        if url == "https://odd.example/":
            raise KeyError(url)
        return post(url, body, headers, private=private)

    monkeypatch.setattr("photoward.worker.webhook_dispatcher.post", sent)
    with receiving() as url:
        odd, good = told(ledger, "https://odd.example/", "mallory"), told(ledger, url)
        assert delivered(dispatcher) == 2
    assert (log(ledger, odd).state, log(ledger, odd).attempts) == (DeliveryState.PENDING, 1)
    assert log(ledger, odd).error
    assert log(ledger, good).state is DeliveryState.DELIVERED


def test_after_the_last_try_it_is_given_up() -> None:
    assert [
        retry_delay(attempts) for attempts in (1, len(RETRY_DELAYS), len(RETRY_DELAYS) + 1)
    ] == [
        RETRY_DELAYS[0],
        RETRY_DELAYS[-1],
        None,
    ]
    assert sum(wait.total_seconds() for wait in RETRY_DELAYS) > 3 * 86_400


def test_a_redirect_leads_nowhere(ledger: Ledger, dispatcher: WebhookDispatcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as inside, receiving(302) as url:
        inside.setblocking(False)  # noqa: FBT003  # the standard library's
        Receiver.elsewhere = f"http://127.0.0.1:{inside.getsockname()[1]}/secret"
        told(ledger, url)
        delivered(dispatcher)
        with pytest.raises(BlockingIOError):
            inside.accept()
    assert len(Receiver.came) == 1


def test_the_payload_holds_no_name_of_a_file(ledger: Ledger, dispatcher: WebhookDispatcher) -> None:
    with receiving() as url:
        told(ledger, url)
        delivered(dispatcher)
    assert "cat.png" not in json.dumps(json.loads(Receiver.came[0][1]))
