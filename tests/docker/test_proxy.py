"""What nginx refuses by itself looks like any refusal."""

from __future__ import annotations

import http.client
import socket
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from photoward.api.http.errors import MEDIA_TYPE
from photoward.api.http.schemas.problems import Problem
from tests.support.loopback import programs
from tests.support.loopback.composition import services
from tests.support.loopback.instance import Instance
from tests.support.loopback.layout import LOOPBACK, Layout
from tests.support.servers import Server, missing, running

if TYPE_CHECKING:
    from collections.abc import Iterator

CHOSEN = services({}, ("cpu",))
HOST = b"Host: here\r\n"


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Its port; nobody is behind it."""
    state = tmp_path_factory.mktemp("proxy")
    nginx = next(service for service in CHOSEN if service.name == "nginx")
    if not programs.installed(nginx.image):
        missing("nginx (Debian package nginx-light) or wget")
    programs.gather([nginx.image], state / "bin")
    layout = Layout(state, CHOSEN, 0)
    instance = Instance(nginx, 1, layout)
    instance.prepare()
    port = layout.ports(nginx)[8080]

    def answers() -> bool:
        with socket.socket() as door:
            return door.connect_ex((LOOPBACK, port)) == 0

    with running(Server(instance.command(nginx.command), state / "log", answers)):
        yield port


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (b"GARBAGE\r\n\r\n", "malformed_request"),
        (b"GET / HTTP/1.1\r\n\r\n", "malformed_request"),
        (b"GET / HTTP/1.1\r\n" + 2 * HOST + b"\r\n", "malformed_request"),
        (b"GET /" + 9000 * b"a" + b" HTTP/1.1\r\n" + HOST + b"\r\n", "malformed_request"),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: " + 9000 * b"a" + b"\r\n\r\n", "malformed_request"),
        (b"GET / HTTP/3.1\r\n" + HOST + b"\r\n", "malformed_request"),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: x\r\n\r\n", "malformed_request"),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: x\r\n\r\n", "malformed_request"),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999\r\n\r\n", "body_too_large"),
        (b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n", "method_not_allowed"),
        (b"GET /metrics HTTP/1.1\r\n" + HOST + b"\r\n", "not_found"),
        (b"GET /.refused/unreadable HTTP/1.1\r\n" + HOST + b"\r\n", "not_found"),
        (b"GET /v1/methods HTTP/1.1\r\n" + HOST + b"\r\n", "unavailable"),
    ],
    ids=[
        "garbage",
        "no host",
        "two hosts",
        "long address",
        "long header",
        "HTTP/3.1",
        "encoding",
        "no length",
        "too long",
        "method",
        "metrics",
        "own address",
        "nobody there",
    ],
)
def test_its_refusals_are_problems(proxy: int, request_: bytes, code: str) -> None:
    with socket.create_connection((LOOPBACK, proxy), timeout=10) as door:
        door.sendall(request_)
        with closing(http.client.HTTPResponse(door)) as answer:
            answer.begin()
            told = Problem.model_validate_json(answer.read())
    assert told == Problem.of(code, told.detail)
    assert (answer.status, answer.headers["Content-Type"]) == (told.status, MEDIA_TYPE)
    assert (answer.headers["Retry-After"] is not None) == (code == "unavailable")
