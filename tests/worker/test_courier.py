"""Messages to receivers on loopback: signed, tried again, never to where they must not go."""

from __future__ import annotations

import http.server
import json
import secrets
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from photoward.core.keys import webhook_secret
from photoward.core.webhooks import GRACE, SCHEDULE, Blocked, Delivered, Event, is_public, next_try
from photoward.worker.courier import Courier
from photoward.worker.outbound import post
from tests.support.samples import added, claimed, result

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

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def receiving(*answers: int) -> Iterator[str]:
    Receiver.answers, Receiver.came = list(answers), []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/hook?a=1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


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


PRIVATE = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "100.127.255.255", "192.0.0.1", "192.0.2.1", "198.18.0.1",
    "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "fe80::1",
    "fc00::1", "fd12:3456::1", "ff02::1", "2001:db8::1", "64:ff9b::7f00:1", "2002:7f00:1::",
    "192.0.0.192", "192.88.99.1", "64:ff9b:1::7f00:1", "3fff::1", "5f00::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2", "fec0::1", "100::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_no_way_leads_inside(address: str) -> None:
    assert not is_public(address)
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(Blocked):
        post(f"https://{host}/x", b"", {}, private=False, timeout_s=0.1)


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700::1111"])
def test_the_open_internet_is_public(address: str) -> None:
    assert is_public(address)


DISGUISED = [
    # other schemes, or none
    "http://a.example/x", "ftp://a.example", "file:///etc/passwd", "gopher://127.0.0.1:25/x",
    "javascript:1", "data:text/plain,x", "dict://127.0.0.1:11211/", "//a.example", "",
    # no host, or a port that is none
    "https://", "https:///x", "https://[::1", "https://a.example:99999/", "https://:443/",
    # somebody before the host
    "https://user@a.example", "https://u:p@a.example/", "https://1.1.1.1@127.0.0.1/",
    "https://1.1.1.1%2f@127.0.0.1/", "https://a.example\\@127.0.0.1/",
    "https://@127.0.0.1/",
    # loopback in other numbers
    "https://2130706433/", "https://0x7f000001/", "https://0x7f.0.0.1/", "https://0177.0.0.1/",
    "https://017700000001/", "https://127.1/", "https://127.0.1/", "https://0/", "https://0x0/",
    "https://00000177.1/", "https://127.0.0.1:8080/", "https://0.0.0.0:6379/",
    # in other letters
    "https://①②⑦.⓪.⓪.①/", "https://127。0。0。1/", "https://127\uff0e0\uff0e0\uff0e1/",
    "https://\uff11\uff12\uff17.0.0.1/",
    "https://%31%32%37.0.0.1/", "https://127.0.0.1%00.a.example/", "https://127.0.0.1\t/",
    "https://127.0.0.1 /", "https://ⓛocalhost/",
    # by name
    "https://localhost/", "https://LOCALHOST/", "https://localhost./", "https://127.0.0.1.",
    "https://localhost.localdomain/", "https://ip6-localhost/", "https://" + "a" * 300 + "/",
    "https://a..example/",
    # in IPv6
    "https://[::]:443/", "https://[::1]/", "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:7f00:1]/", "https://[::ffff:127.0.0.1]/", "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/", "https://[64:ff9b::a9fe:a9fe]/", "https://[64:ff9b:1::7f00:1]/",
    "https://[2002:7f00:1::]/", "https://[fe80::1%25lo]/", "https://[fd00:ec2::254]/",
    # where clouds tell their secrets
    "https://169.254.169.254/latest/meta-data/", "https://2852039166/", "https://0xa9fea9fe/",
    "https://0251.0376.0251.0376/", "https://[::ffff:a9fe:a9fe]/", "https://169.254.43518/",
    "https://100.100.100.200/", "https://192.0.0.192/",
]  # fmt: skip


def test_the_list_is_long_enough() -> None:
    assert len(set(DISGUISED)) == len(DISGUISED) >= 60


@pytest.mark.parametrize("url", DISGUISED)
def test_no_disguise_leads_inside(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def connected(*_: object, **__: object) -> None:
        pytest.fail(url)

    monkeypatch.setattr(socket, "create_connection", connected)
    monkeypatch.setattr(socket.socket, "connect", connected)
    with pytest.raises((Blocked, OSError, ValueError)):
        post(url, b"", {}, private=False)


def test_a_redirect_leads_nowhere(ledger: Ledger, courier: Courier) -> None:
    with socket.create_server(("127.0.0.1", 0)) as inside, receiving(302) as url:
        inside.setblocking(False)  # noqa: FBT003  # the standard library's
        Receiver.elsewhere = f"http://127.0.0.1:{inside.getsockname()[1]}/secret"
        told(ledger, url)
        courier.deliver()
        with pytest.raises(BlockingIOError):
            inside.accept()
    assert len(Receiver.came) == 1


def test_a_name_is_resolved_once_and_all_of_its_addresses_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    connected: list[tuple[str, int]] = []

    def resolve(host: str, port: int, **_: object) -> list[Any]:
        """As a name's server that wants to be asked twice."""
        asked.append(host)
        answers = [["93.184.216.34"], ["127.0.0.1"]] if host == "rebind.example" else [
            ["93.184.216.34", "10.0.0.1"]
        ]  # fmt: skip
        found = answers[min(len(asked) - 1, len(answers) - 1)]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

    def connect(address: tuple[str, int], *_: object) -> None:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(ConnectionRefusedError):
        post("https://rebind.example/x", b"", {}, private=False)
    assert (asked, connected) == (["rebind.example"], [("93.184.216.34", 443)])
    asked.clear()
    with pytest.raises(Blocked):
        post("https://mixed.example/x", b"", {}, private=False)
    assert len(connected) == 1


def test_the_payload_holds_no_name_of_a_file(ledger: Ledger, courier: Courier) -> None:
    with receiving() as url:
        told(ledger, url)
        courier.deliver()
    assert "cat.png" not in json.dumps(json.loads(Receiver.came[0][1]))
