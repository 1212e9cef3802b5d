"""What only shows on a socket: when an answer comes, and what stays behind."""

from __future__ import annotations

import json
import os
import re
import socket
import time
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.api.http.service import picture
from tests.api.http.test_refusals import form, png_header

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.http.service import Service

MOST_S = 0.1


class Wire:
    """One connection, spoken by hand."""

    def __init__(self, service: Service) -> None:
        self.socket = socket.create_connection(service.address(), timeout=20)

    def post(self, *headers: str, body: bytes = b"", path: str = "/v1/images") -> None:
        lines = [f"POST {path} HTTP/1.1", "Host: localhost", *headers, "", ""]
        self.socket.sendall("\r\n".join(lines).encode() + body)

    def answer(self) -> tuple[int, str]:
        """Status and problem code of the next answer."""
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._more()
        head, _, body = received.partition(b"\r\n\r\n")
        length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])  # type: ignore[index]  # it is there
        while len(body) < length:
            body += self._more()
        return int(head.split()[1]), json.loads(body).get("code", "")

    def _more(self) -> bytes:
        more = self.socket.recv(65536)
        assert more, "the connection was cut"
        return more


@pytest.fixture
def wire(service: Service) -> Iterator[Wire]:
    made = Wire(service)
    with closing(made.socket):
        yield made


def test_a_refusal_does_not_wait_for_the_body(service: Service) -> None:
    """177 megapixels are refused at the header; the rest of the 20 MiB is never sent."""
    took = []
    for _ in range(3):
        wire = Wire(service)
        with closing(wire.socket):
            wire.post("Content-Type: image/png", "Content-Length: 20000000")
            started = time.monotonic()
            wire.socket.sendall(png_header(13312, 13312))
            assert wire.answer() == (413, "too_many_pixels")
            took.append(time.monotonic() - started)
    assert min(took) < MOST_S
    assert service.kept() == []


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (["Content-Type: image/png", "Content-Length: 26214401"], (413, "body_too_large")),
        (["Content-Type: text/plain", "Content-Length: 100"], (415, "unsupported_content_type")),
        (["Content-Type: multipart/form-data", "Content-Length: 9"], (400, "malformed_request")),
    ],
)
def test_what_the_headers_show_is_refused_before_a_byte_of_the_body(
    wire: Wire, headers: list[str], expected: tuple[int, str]
) -> None:
    wire.post(*headers)
    assert wire.answer() == expected


def test_a_bad_option_is_refused_before_the_body(wire: Wire) -> None:
    wire.post("Content-Type: image/png", "Content-Length: 99999", path="/v1/images?preset=brutal")
    assert wire.answer() == (422, "unknown_preset")


def test_a_bad_field_is_refused_before_the_file(wire: Wire) -> None:
    fields = form(("preset", None, b"brutal"), end=b"")["content"]
    kind = "Content-Type: multipart/form-data; boundary=x"
    wire.post(kind, "Content-Length: 99999", body=fields + b"--x\r\n")
    assert wire.answer() == (422, "unknown_preset")


def test_a_file_in_a_form_is_refused_at_its_header(wire: Wire) -> None:
    start = form(("file", "a.psd", b"8BPS" + bytes(60)), end=b"")["content"]
    wire.post("Content-Type: multipart/form-data; boundary=x", "Content-Length: 99999", body=start)
    assert wire.answer() == (415, "unsupported_type")


def test_whoever_asks_whether_to_continue_is_told_no(wire: Wire) -> None:
    wire.post("Content-Type: text/csv", "Content-Length: 9999", "Expect: 100-continue")
    assert wire.answer() == (415, "unsupported_content_type")


def test_a_refused_sender_that_goes_on_still_reads_the_answer(service: Service) -> None:
    """A connection cut at once would lose the answer of a client that only reads at the end."""
    body = b"8BPS" + bytes(8_000_000)
    answer = service.upload(body)
    assert answer.json()["code"] == "unsupported_type"
    assert service.upload(b"nothing").status_code == 415  # the connection still works


def test_a_body_without_end_is_stopped(wire: Wire) -> None:
    head = png_header(100, 100)
    wire.post("Content-Type: image/png", "Transfer-Encoding: chunked")
    chunk = b"100000\r\n" + bytes(2**20) + b"\r\n"
    wire.socket.sendall(f"{len(head):x}\r\n".encode() + head + b"\r\n")
    for _ in range(26):
        wire.socket.sendall(chunk)
    assert wire.answer() == (413, "body_too_large")


def test_what_follows_a_form_is_not_read_for_ever(wire: Wire) -> None:
    whole = form(("file", "a.png", picture()))["content"]
    wire.post("Content-Type: multipart/form-data; boundary=x", "Transfer-Encoding: chunked")
    wire.socket.sendall(f"{len(whole):x}\r\n".encode() + whole + b"\r\n")
    for _ in range(26):
        wire.socket.sendall(b"100000\r\n" + bytes(2**20) + b"\r\n")
    assert wire.answer() == (413, "body_too_large")


def test_a_slow_sender_is_served(wire: Wire, service: Service) -> None:
    photo = picture()
    wire.post("Content-Type: image/png", f"Content-Length: {len(photo)}")
    cuts = [0, 1, 2, 5, 9, 17, 25, 31, 60, len(photo)]
    for start, end in pairwise(cuts):
        wire.socket.sendall(photo[start:end])
        time.sleep(0.02)
    assert wire.answer()[0] == 202
    _delete_all(service)


@pytest.mark.parametrize("keep", [0, 5, 40, 200_000])
def test_who_leaves_early_leaves_nothing(service: Service, keep: int) -> None:
    photo = picture("JPEG", (900, 900), quality=98, subsampling=0)
    assert len(photo) > keep
    before = _open_files()
    wire = Wire(service)
    wire.post("Content-Type: image/jpeg", f"Content-Length: {len(photo)}", body=photo[:keep])
    time.sleep(0.05)
    wire.socket.close()
    deadline = time.monotonic() + 5
    while _open_files() > before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert _open_files() <= before
    assert service.kept() == []
    assert service.ledger.items.count_by_state() == {}


def test_more_than_announced_is_not_part_of_the_photo(wire: Wire, service: Service) -> None:
    photo = picture()
    wire.post("Content-Type: image/png", f"Content-Length: {len(photo)}", body=photo + b"GET / X")
    assert wire.answer()[0] == 202
    (key,) = service.kept()
    assert service.store.get(key) == photo
    _delete_all(service)


def test_an_item_is_found_as_soon_as_its_header(wire: Wire) -> None:
    """A JPEG that hides its size behind 6 MiB of metadata costs linear time."""
    photo = picture("JPEG", (64, 64))
    filler = b"\xff\xe2\xff\xff" + bytes(65533)
    body = photo[:2] + filler * 96 + photo[2:]
    started = time.monotonic()
    wire.post("Content-Type: image/jpeg", f"Content-Length: {len(body)}", body=body)
    assert wire.answer()[0] == 202
    assert time.monotonic() - started < 5


def test_large_uploads_do_not_stay_in_memory(service: Service) -> None:
    process = psutil.Process()
    photo = picture() + os.urandom(24 * 2**20)
    service.upload(photo)
    before = process.memory_info().rss
    for _ in range(6):
        assert service.upload(photo).status_code == 202
    assert process.memory_info().rss - before < 60 * 2**20
    _delete_all(service)


def _open_files() -> int:
    # Spools are unnamed files: an upload that leaks shows as a descriptor.
    count = 0
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            count += "deleted" in str(link.readlink())
    return count


def _delete_all(service: Service) -> None:
    for key in service.kept():
        service.client.delete(f"/v1/images/{key.rpartition('/')[2]}")
