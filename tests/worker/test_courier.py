"""Messages to receivers on loopback: signed, tried again, never to where they must not go."""

from __future__ import annotations

import http.server
import json
import secrets
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from photoward.core.keys import webhook_secret
from photoward.core.webhooks import GRACE, SCHEDULE, Delivered, Event, next_try
from photoward.worker.courier import Courier
from tests.support.samples import added, claimed, result
from tests.support.sites import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from photoward.core.ports import Ledger
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
def courier(ledger: Ledger) -> Iterator[Courier]:
    made = Courier(ledger, MASTER, private=True, every_s=0.01)
    yield made
    made._threads.shutdown()


def told(ledger: Ledger, url: str) -> Webhook:
    """A webhook with one message."""
    hook = ledger.add_webhook(secrets.token_hex(8), "alice", url, {Event.IMAGE_DONE})
    item = added(ledger)
    token, _ = claimed(ledger)
    ledger.store(token, [result(item.id)])
    return hook


def log(ledger: Ledger, hook: Webhook) -> Delivery:
    (delivery,) = ledger.deliveries("alice", hook.id, after=0, limit=9)
    return delivery


def test_a_message_can_be_verified_with_the_secret_that_was_shown(
    ledger: Ledger, courier: Courier
) -> None:
    with receiving() as url:
        hook = told(ledger, url)
        assert courier.deliver() == 1
        assert courier.deliver() == 0
    ((headers, body),) = Receiver.came
    own = webhook_secret(MASTER, hook.id, 1)
    assert Verifier(own).verify(body, headers)["type"] == "image.done"
    assert headers["webhook-id"] == log(ledger, hook).id
    with pytest.raises(WebhookVerificationError):
        Verifier(webhook_secret(bytes(32), hook.id, 1)).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(own).verify(body.replace(b"done", b"gone"), headers)
    assert (log(ledger, hook).state, log(ledger, hook).status) == (Delivered.DELIVERED, 200)


def test_after_a_rotation_both_secrets_verify_for_a_while(ledger: Ledger, courier: Courier) -> None:
    with receiving() as url:
        hook = told(ledger, url)
        ledger.rotate_webhook("alice", hook.id, GRACE)
        courier.deliver()
        ((headers, body),) = Receiver.came
        for version in (1, 2):
            Verifier(webhook_secret(MASTER, hook.id, version)).verify(body, headers)
        ledger.rotate_webhook("alice", hook.id, -GRACE)
        ledger.replay("alice", hook.id, log(ledger, hook).id)
        courier.deliver()
    headers, body = Receiver.came[-1]
    Verifier(webhook_secret(MASTER, hook.id, 3)).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(webhook_secret(MASTER, hook.id, 2)).verify(body, headers)


@pytest.mark.parametrize("status", [500, 404, 302, 429])
def test_what_is_not_taken_waits_for_its_next_try(
    status: int, ledger: Ledger, courier: Courier
) -> None:
    with receiving(status) as url:
        hook = told(ledger, url)
        courier.deliver()
        assert courier.deliver() == 0, "not yet"
    delivery = log(ledger, hook)
    assert (delivery.state, delivery.status, delivery.attempts) == (Delivered.PENDING, status, 1)
    wait = (delivery.due_at - delivery.created_at).total_seconds()
    assert 4 < wait < 15
    assert len(Receiver.came) == 1, "a redirect is not followed"


def test_who_is_gone_is_not_asked_again(ledger: Ledger, courier: Courier) -> None:
    with receiving(410) as url:
        hook = told(ledger, url)
        courier.deliver()
    assert ledger.webhooks("alice")[0].disabled_at
    assert log(ledger, hook).state is Delivered.FAILED


def test_nobody_there_is_no_end(ledger: Ledger, courier: Courier) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    hook = told(ledger, f"http://127.0.0.1:{port}/x")
    courier.deliver()
    assert (log(ledger, hook).status, log(ledger, hook).state) == (None, Delivered.PENDING)
    assert "ConnectionRefusedError" in (log(ledger, hook).error or "")


def test_it_runs_by_itself_and_ends_when_it_is_told_to(ledger: Ledger) -> None:
    courier = Courier(ledger, MASTER, private=True, every_s=0.01)
    with receiving() as url:
        hook = told(ledger, url)
        courier.start()
        for _ in range(500):
            if log(ledger, hook).state is Delivered.DELIVERED:
                break
            threading.Event().wait(0.01)
        courier.stop()
    assert log(ledger, hook).state is Delivered.DELIVERED


def test_after_the_last_try_it_is_given_up() -> None:
    assert [next_try(attempts) for attempts in (1, len(SCHEDULE), len(SCHEDULE) + 1)] == [
        SCHEDULE[0], SCHEDULE[-1], None
    ]  # fmt: skip
    assert sum(wait.total_seconds() for wait in SCHEDULE) > 3 * 86_400


def test_a_redirect_leads_nowhere(ledger: Ledger, courier: Courier) -> None:
    with socket.create_server(("127.0.0.1", 0)) as inside, receiving(302) as url:
        inside.setblocking(False)  # noqa: FBT003  # the standard library's
        Receiver.elsewhere = f"http://127.0.0.1:{inside.getsockname()[1]}/secret"
        told(ledger, url)
        courier.deliver()
        with pytest.raises(BlockingIOError):
            inside.accept()
    assert len(Receiver.came) == 1


def test_the_payload_holds_no_name_of_a_file(ledger: Ledger, courier: Courier) -> None:
    with receiving() as url:
        told(ledger, url)
        courier.deliver()
    assert "cat.png" not in json.dumps(json.loads(Receiver.came[0][1]))
