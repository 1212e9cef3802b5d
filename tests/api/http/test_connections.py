"""Connections: who begins without an end, and who comes when there are too many."""

from __future__ import annotations

import resource
import socket
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import httpx
import pytest
import structlog

from photoward.api.cli import serve as command
from photoward.api.http.server import connection_limit, header_timeout
from photoward.api.http.server.connection_limit import ConnectionLimit
from tests.api.http.service import picture
from tests.api.http.test_streaming import Wire

if TYPE_CHECKING:
    from tests.api.http.conftest import ServiceFactory
    from tests.api.http.service import Service

GRACE_S = 0.3
HALF = b"POST /v1/images HTTP/1.1\r\nHost: localhost\r\nX-Never: "


def test_the_rest_of_a_refused_body_is_not_waited_for(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(header_timeout, "UNREAD_BODY_TIMEOUT_S", GRACE_S)
    wire = Wire(service)
    with closing(wire.socket):
        wire.post("Content-Type: text/plain", "Content-Length: 9000")
        assert wire.answer() == (415, "unsupported_content_type")
        wire.socket.sendall(b"and on")
        began = time.monotonic()
        assert not wire.socket.recv(1)
        assert time.monotonic() - began < 2


def test_a_connection_without_a_request_is_closed(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(header_timeout, "HEADER_TIMEOUT_S", GRACE_S)
    wire = Wire(service)
    with closing(wire.socket):
        began = time.monotonic()
        wire.socket.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        assert not wire.socket.recv(1)
        assert GRACE_S / 2 < time.monotonic() - began < 2


@pytest.mark.parametrize("again", [1, 2])
def test_every_header_of_a_connection_must_come_in_time(
    again: int, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(header_timeout, "HEADER_TIMEOUT_S", GRACE_S)
    wire = Wire(service)
    with closing(wire.socket):
        for _ in range(again):
            wire.post("Content-Type: text/plain", "Content-Length: 0")
            assert wire.answer()[0] == 415
        began = time.monotonic()
        wire.socket.settimeout(GRACE_S / 10)
        while time.monotonic() - began < 5:
            try:
                wire.socket.sendall(b"X")
                if not wire.socket.recv(1):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        assert GRACE_S / 2 < time.monotonic() - began < 2


def test_a_request_under_way_may_take_longer_than_a_header(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(header_timeout, "HEADER_TIMEOUT_S", GRACE_S)
    data = picture()
    wire = Wire(service)
    with closing(wire.socket):
        wire.post("Content-Type: image/png", f"Content-Length: {len(data)}", body=data[:20])
        time.sleep(2 * GRACE_S)  # the pause is what is tested
        wire.socket.sendall(data[20:])
        assert wire.answer()[0] == 202


@pytest.fixture
def small(make_service: ServiceFactory, monkeypatch: pytest.MonkeyPatch) -> Service:
    """It has room for 40 connections."""
    monkeypatch.setattr(connection_limit, "MAX_CONNECTIONS", 40)
    return make_service(http_require_keys=True)


def test_half_headers_make_room_for_who_asks(small: Service) -> None:
    with ExitStack() as held:
        for _ in range(200):
            one = held.enter_context(socket.create_connection(small.address(), timeout=5))
            one.sendall(HALF)
        for _ in range(10):
            assert httpx.get(f"{small.url}/livez", timeout=5).status_code == 200


def test_rests_of_refused_bodies_make_room_as_well(small: Service) -> None:
    with ExitStack() as held:
        for _ in range(60):
            wire = Wire(small)
            held.enter_context(closing(wire.socket))
            wire.post("Content-Type: image/png", "Content-Length: 9000")
            assert wire.answer() == (401, "unauthenticated")
        assert httpx.get(f"{small.url}/livez").status_code == 200


def test_who_is_being_answered_stays_and_the_next_is_told(
    make_service: ServiceFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_limit, "MAX_CONNECTIONS", 5)
    service, data = make_service(), picture()
    with ExitStack() as held:
        wires = [Wire(service) for _ in range(5)]
        for wire in wires:
            held.enter_context(closing(wire.socket))
            wire.post("Content-Type: image/png", f"Content-Length: {len(data)}", body=data[:20])
        time.sleep(GRACE_S)  # until all have been read
        late = Wire(service)
        held.enter_context(closing(late.socket))
        assert late.answer() == (503, "unavailable")
        for wire in wires:
            wire.socket.sendall(data[20:])
            assert wire.answer()[0] == 202
        assert service.client.get("/livez").status_code == 200


class Guest:
    """A connection from somewhere."""

    def __init__(self, address: str | None) -> None:
        self.client = None if address is None else (address, 1)
        self.there = True

    def abort(self) -> None:
        self.there = False


def test_one_address_takes_at_most_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_limit, "MAX_CONNECTIONS", 8)
    crowded = ConnectionLimit("127.0.0.1")
    others = [Guest(f"192.0.2.{n}") for n in range(4)]
    flood = [Guest("2001:db8::1") for _ in range(20)]
    assert all(crowded.add(guest) for guest in [*others, *flood])
    assert all(guest.there for guest in others)
    assert [guest.there for guest in flood] == [False] * 16 + [True] * 4


@pytest.mark.parametrize("address", [None, "127.0.0.9", "::1", "10.1.2.3"])
def test_through_a_proxy_many_may_come(
    address: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_limit, "MAX_CONNECTIONS", 8)
    crowded = ConnectionLimit("/run/proxy.sock, 10.0.0.0/8")
    guests = [Guest(address) for _ in range(9)]
    assert all(crowded.add(guest) for guest in guests)
    assert [guest.there for guest in guests] == [False] + [True] * 8


def test_a_crowd_is_told_in_the_log_and_not_by_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_limit, "MAX_CONNECTIONS", 4)
    crowded = ConnectionLimit("*")
    with structlog.testing.capture_logs() as lines:
        for guest in [Guest("192.0.2.1") for _ in range(50)]:
            assert crowded.add(guest)
        crowded.remove(guest)
        crowded.remove(guest)
        assert crowded.add(Guest("192.0.2.1"))
    assert [(line["event"], line["open"], line["limit"]) for line in lines] == [
        ("connection_limit", 3, 4)
    ]


def test_where_few_files_may_be_open_there_are_fewer_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    assert connection_limit.max_connections() == 512
    wanted = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: wanted.append(limits))
    command.raise_file_limit()
    assert wanted == [(4096, 4096)]
