"""What the client does with answers that are not a picture: over HTTP, with scripted servers."""

from __future__ import annotations

import http.server
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from standardwebhooks import Webhook

from photoward_client import (
    Client,
    InvalidSignatureError,
    RefusedError,
    UnavailableError,
    verify_webhook,
)
from tests.support.servers import free_ports
from tests.support.sites import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

PROBLEM = b'{"title": "The queue is full", "code": "queue_full", "remedy": "Try again later."}'
SECRET = "whsec_" + "QUFB" * 10


@dataclass(frozen=True)
class Reply:
    """One answer of the server."""

    status: int = 200
    body: bytes = b"picture"
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "image/png"})
    announced: int = 0
    """Bytes that it promises beside those that it sends."""
    drip_s: float = 0
    read: bool = True
    """Whether it reads the request's body."""


@dataclass
class Seen:
    """What has arrived."""

    url: str = ""
    requests: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)


@contextmanager
def answering(*replies: Reply) -> Iterator[Seen]:
    """A server that gives one reply after the other, the last one for good."""
    seen = Seen()
    left = list(replies)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            reply = left.pop(0) if len(left) > 1 else left[0]
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length) if reply.read else b""
            seen.requests.append((self.path, body, dict(self.headers.items())))
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body) + reply.announced))
            self.end_headers()
            for at in range(len(reply.body)):
                self.wfile.write(reply.body[at : at + 1])
                time.sleep(reply.drip_s)

    with serving(Handler) as seen.url:
        yield seen


def full(retry_after: str) -> Reply:
    headers = {"Content-Type": "application/problem+json", "Retry-After": retry_after}
    return Reply(429, PROBLEM, headers)


def test_a_full_service_is_asked_again_when_it_says() -> None:
    with answering(full("1"), Reply(503, PROBLEM, {"Retry-After": "0"}), Reply()) as seen:
        began = time.monotonic()
        answer = Client(seen.url, "a-key").protect(b"photo", preset="strong", sizes=[2, 1])
        assert 1 <= time.monotonic() - began < 10
    assert answer.content == b"picture"
    assert [one[:2] for one in seen.requests] == 3 * [
        ("/v1/protect?preset=strong&sizes=2%2C1", b"photo")
    ]
    assert seen.requests[0][2]["Authorization"] == "Bearer a-key"


def test_retries_are_counted() -> None:
    with answering(full("0")) as seen, pytest.raises(RefusedError, match="Try again") as refused:
        Client(seen.url, retries=2).protect(b"photo")
    assert len(seen.requests) == 3
    assert (refused.value.status, refused.value.code) == (429, "queue_full")
    assert refused.value.passing


def test_who_shall_wait_longer_than_there_is_time_is_told_at_once() -> None:
    with answering(full("30")) as seen, pytest.raises(RefusedError):
        Client(seen.url, timeout_s=5).protect(b"photo")
    assert len(seen.requests) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (422, b'{"code": "corrupt", "title": "The photo cannot be decoded"}'),
        (401, b'{"code": "unauthenticated", "title": "An API key is required"}'),
        (429, b'{"code": "over_quota", "title": "The daily quota is used up"}'),
    ],
)
def test_what_cannot_change_is_not_repeated(status: int, body: bytes) -> None:
    reply = Reply(status, body, {"Content-Type": "application/problem+json", "Retry-After": "0"})
    with answering(reply) as seen, pytest.raises(RefusedError) as refused:
        Client(seen.url).protect(b"photo")
    assert len(seen.requests) == 1
    assert not refused.value.passing


@pytest.mark.parametrize(
    "reply",
    [
        Reply(202, b"{}", {"Content-Type": "application/json"}),
        Reply(200, b"<html>", {"Content-Type": "text/html"}),
        Reply(announced=5),
        Reply(drip_s=0.5),
    ],
    ids=["accepted", "page", "truncated", "dripping"],
)
def test_what_is_no_whole_picture_is_not_one(reply: Reply) -> None:
    with answering(reply) as seen, pytest.raises(UnavailableError):
        Client(seen.url, retries=0, timeout_s=1).protect(b"photo")


def test_the_key_follows_no_redirect() -> None:
    with answering(Reply()) as elsewhere:
        moved = Reply(302, b"", {"Location": elsewhere.url})
        with answering(moved) as seen, pytest.raises(RefusedError, match=elsewhere.url):
            Client(seen.url, "a-key").protect(b"photo")
    assert not elsewhere.requests


def test_a_refusal_is_heard_while_the_photo_is_still_being_sent() -> None:
    reply = Reply(413, b'{"code": "body_too_large"}', {"Connection": "close"}, read=False)
    with answering(reply) as seen, pytest.raises((RefusedError, UnavailableError)) as refused:
        Client(seen.url, retries=0).protect(bytes(40_000_000))
    # Whether the answer outruns the reset is the system's affair; silence it never is.
    assert str(refused.value)


def test_nobody_there_is_unavailable() -> None:
    (port,) = free_ports(1)
    with pytest.raises(UnavailableError, match="cannot be reached"):
        Client(f"http://127.0.0.1:{port}", retries=1).protect(b"photo")


@pytest.mark.parametrize("url", ["photos.example", "ftp://a", "http://user@host", "http://"])
def test_an_address_is_checked(url: str) -> None:
    with pytest.raises(ValueError, match="url"):
        Client(url)


def message() -> tuple[bytes, dict[str, str]]:
    from datetime import UTC, datetime  # noqa: PLC0415

    body, now = b'{"type": "image.succeeded"}', datetime.now(UTC)
    signature = Webhook(SECRET).sign("msg_1", now, body.decode())
    stamp = str(int(now.timestamp()))
    return body, {"Webhook-Id": "msg_1", "Webhook-Timestamp": stamp, "Webhook-Signature": signature}


def test_a_signed_message_is_read() -> None:
    body, headers = message()
    assert verify_webhook(body, headers, SECRET) == {"type": "image.succeeded"}
    both = f"v1,bm90IHRoaXMgb25l {headers['Webhook-Signature']}"  # while a secret is replaced
    assert verify_webhook(body, headers | {"Webhook-Signature": both}, SECRET)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"Webhook-Id": "msg_2"},
        {"Webhook-Timestamp": "1"},
        {"Webhook-Timestamp": "soon"},
        {"Webhook-Signature": ""},
        {"Webhook-Signature": "v1,é"},
    ],
)
def test_a_forged_message_is_not(spoilt: dict[str, str]) -> None:
    body, headers = message()
    with pytest.raises(InvalidSignatureError):
        verify_webhook(body, headers | spoilt, SECRET)


def test_an_old_message_is_not_read_again() -> None:
    body, headers = message()
    with pytest.raises(InvalidSignatureError, match="old"):
        verify_webhook(body, headers, SECRET, tolerance_s=-1)
