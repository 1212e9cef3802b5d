"""Requests to where strangers say: to no place inside, once, and only for so long."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from photoward.core.safe_http import (
    BlockedUrl,
    NoResponse,
    UnresolvedHost,
    is_public,
    open_response,
    post,
)
from tests.support.sites import forbid_connections

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Ask = Callable[[str], object]


def fetched(url: str, *, private: bool = False, whole_s: float = 5, timeout_s: float = 5) -> bytes:
    with open_response(url, private=private, whole_s=whole_s, timeout_s=timeout_s) as answer:
        return b"".join(answer.chunks)


def posted(url: str) -> int:
    return post(url, b"", {}, private=False, timeout_s=0.1)


EITHER = pytest.mark.parametrize("ask", [posted, fetched])


PRIVATE = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "100.127.255.255", "192.0.0.1", "192.0.2.1", "198.18.0.1",
    "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "fe80::1",
    "fc00::1", "fd12:3456::1", "ff02::1", "2001:db8::1", "64:ff9b::7f00:1", "2002:7f00:1::",
    "192.0.0.192", "192.88.99.1", "64:ff9b:1::7f00:1", "3fff::1", "5f00::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2", "fec0::1", "100::1",
]  # fmt: skip


@EITHER
@pytest.mark.parametrize("address", PRIVATE)
def test_no_way_leads_inside(address: str, ask: Ask) -> None:
    assert not is_public(address)
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(BlockedUrl):
        ask(f"https://{host}/x")


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


@EITHER
@pytest.mark.parametrize("url", DISGUISED)
def test_no_disguise_leads_inside(url: str, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_connections(monkeypatch, url)
    with pytest.raises((BlockedUrl, NoResponse, ValueError)):
        ask(url)


@EITHER
def test_a_name_is_resolved_once_and_all_of_its_addresses_count(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
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
    with pytest.raises(NoResponse, match="ConnectionRefusedError"):
        ask("https://rebind.example/x")
    assert (asked, connected) == (["rebind.example"], [("93.184.216.34", 443)])
    asked.clear()
    with pytest.raises(NoResponse, match=UnresolvedHost.__name__):
        ask("https://mixed.example/x")
    assert len(connected) == 1


@EITHER
def test_nobody_learns_which_names_there_are_inside(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name of nothing, and one of the operator's network: one answer."""

    def resolve(host: str, port: int, **_: object) -> list[Any]:
        if host != "ledger.internal":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    told = []
    for host in ("ledger.internal", "nothing.internal"):
        with pytest.raises(NoResponse) as unanswered:
            ask(f"https://{host}/x")
        told.append(str(unanswered.value))
    assert told == ["No answer (UnresolvedHost)."] * 2


def test_where_hosts_inside_may_be_asked_nothing_tells_what_they_are() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with answering(b"SSH-2.0-OpenSSH\r\n") as (other, _):
        urls = [f"http://127.0.0.1:{port}/", "http://nothing.invalid/", other]
        for url, kind in zip(urls, ("Connection", "Unresolved", "BadStatusLine"), strict=True):
            with pytest.raises(NoResponse, match=r"^No answer\.$") as unanswered:
                post(url, b"", {}, private=True, whole_s=5)
            assert unanswered.value.kind.startswith(kind), "for the operator"


@contextmanager
def answering(
    answer: bytes, pause_s: float = 0.0, at: int = 0
) -> Iterator[tuple[str, list[bytes]]]:
    """A server that says this to one caller, after ``at`` bytes slowly, and keeps the line open."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                asked.append(connection.recv(1 << 16))
                connection.sendall(answer[:at] if pause_s else answer)
                for byte in answer[at:] if pause_s else b"":
                    time.sleep(pause_s)
                    try:
                        connection.sendall(bytes([byte]))
                    except OSError:
                        return
                over.wait(5)

        over = threading.Event()
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/a.png?b=1", asked
        finally:
            over.set()
            thread.join()


def test_a_file_is_as_long_as_it_was_announced() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nphotoanything else"
    with answering(answer) as (url, asked):
        assert fetched(url, private=True) == b"photo", "though the connection stays open"
    assert asked[0].startswith(b"GET /a.png?b=1 HTTP/1.1\r\n")
    assert b"Accept-Encoding: identity" in asked[0]


def test_a_file_in_chunks_ends_with_the_last() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = head + b"3\r\npho\r\n2\r\nto\r\n0\r\n\r\n"
    with answering(answer) as (url, _):
        assert fetched(url, private=True) == b"photo"


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nphoto",
     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nphoto",
     b"HTTP/1.1 200 OK\r\n\r\nphoto", b"nonsense\r\n\r\n", b"HTTP/1.1 2"],
)  # fmt: skip
def test_what_does_not_end_is_no_file(answer: bytes) -> None:
    with (
        answering(answer) as (url, _),
        pytest.raises(NoResponse),
    ):
        fetched(url, private=True, timeout_s=0.2)


@pytest.mark.parametrize("at", [0, 20, 45])
def test_who_is_slow_is_cut_off(at: int) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + bytes(1000)
    began = time.monotonic()
    with answering(answer, 0.05, at) as (url, _):
        with pytest.raises(NoResponse) as unanswered:
            fetched(url, private=True, whole_s=0.5)
        assert unanswered.value.kind == "TimeoutError"
        assert time.monotonic() - began < 2


@pytest.mark.parametrize("at", [0, 20])
def test_a_receiver_that_drips_is_cut_off(at: int) -> None:
    began = time.monotonic()
    answer = b"HTTP/1.1 200 OK\r\nX: " + 1000 * b"a"
    with answering(answer, 0.05, at) as (url, _):
        with pytest.raises(NoResponse) as unanswered:
            post(url, b"{}", {}, private=True, whole_s=0.5)
        assert unanswered.value.kind == "TimeoutError"
        assert time.monotonic() - began < 2


def test_who_says_nothing_in_a_handshake_is_cut_off() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        began = time.monotonic()
        with pytest.raises(NoResponse):
            fetched(f"https://127.0.0.1:{port}/", private=True, whole_s=0.3)
    assert time.monotonic() - began < 2


def test_a_status_is_told_and_a_redirect_not_followed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as inside:
        inside.setblocking(False)  # noqa: FBT003  # the standard library's
        place = f"http://127.0.0.1:{inside.getsockname()[1]}/secret".encode()
        answer = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + place + b"\r\n\r\n"
        with (
            answering(answer) as (url, _),
            open_response(url, private=True, whole_s=2) as found,
        ):
            assert found.status == 302
        with pytest.raises(BlockingIOError):
            inside.accept()


def test_a_host_is_named_as_it_stands_in_the_url() -> None:
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as (url, asked):
        fetched(url, private=True)
    assert f"Host: {url.split('/')[2]}\r\n".encode() in asked[0]
