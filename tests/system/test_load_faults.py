"""More than can be done, and senders that never finish: who behaves is served all the same."""

from __future__ import annotations

import itertools
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from photoward.api.cli import sample_images
from photoward.api.cli.client import Client, Refusal
from photoward.core.errors import Unavailable
from photoward.core.settings import Settings
from tests.support.audit import audit
from tests.support.beside import beside
from tests.support.faults import free_of_cost, known_ids, rows, until
from tests.support.findings import note
from tests.support.scale import scaled
from tests.support.stack import UPLOADERS, Upload, fresh_stack

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from tests.support.stack import Stack

SUCCESS, GOODPUT = 0.995, 0.9
DRIP_S = 1.0
SIDE = 512
"""Pixels of a photo that costs the engine much more than its upload costs the client."""

WAITING = 32
"""Photos that may wait in ``test_ten_times_too_much``."""

HEAD = (
    "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
    "Content-Length: 9000\r\n\r\n"
)
HEADS = (
    HEAD.format(path="/v1/images", kind="image/png"),
    HEAD.format(path="{batch}/archive", kind="application/zip"),
    HEAD.format(path="/v1/batches", kind="application/json"),
    "POST /v1/images HTTP/1.1\r\nHost: localhost\r\nX-Never: ",
)
"""What slow senders begin with: a photo, an archive, JSON, a header without an end."""


def test_slow_senders_do_not_keep_others_out() -> None:
    slow, good = scaled(100, 500), scaled(100, 1000)
    grace = {"PHOTOWARD_HTTP_BODY_TIMEOUT_SECONDS": str(scaled(5, 30))}
    with fresh_stack(**grace) as service, ThreadPoolExecutor(UPLOADERS) as threads:
        ids: list[str] = []
        with dripping(service, slow) as connections:
            for one in threads.map(lambda upload: sent(service, upload), free_of_cost(good)):
                ids += [one] if isinstance(one, str) else []
            share = len(ids) / good
            began = time.monotonic()
            until(lambda: all(map(closed, connections)), scaled(30, 90), "some are still there")
            waited = time.monotonic() - began
        note(
            f"slow senders, {slow} connections", f"legitimate success ≥ {SUCCESS:.1%}",
            f"{share:.1%} of {good}; all slow ones gone {waited:.0f} s after them",
            "default" if slow == 500 else "a short patience",
        )  # fmt: skip
        assert share >= SUCCESS
        service.ended(ids, 120)
        audit(service, Settings(data_dir=service.folder), ids)


def sent(service: Stack, upload: Upload) -> str | int:
    """The id of an upload that is tried once, or the status of its refusal."""
    try:
        with Client(service.url) as client:
            item = client.submit(
                upload.data, upload.media_type, label=upload.label, method=upload.method
            )
            return str(item["id"])
    except Refusal as refusal:
        return refusal.status
    except Unavailable:
        return 0


@contextmanager
def dripping(service: Stack, count: int) -> Iterator[list[socket.socket]]:
    """So many connections that send a byte a second."""
    batch = httpx.post(f"{service.url}/v1/batches", json={}).json()["links"]["self"]
    address = httpx.URL(service.url)
    connections = []
    for head in itertools.islice(itertools.cycle(HEADS), count):
        one = socket.create_connection((address.host, address.port or 80), timeout=10)
        one.sendall(head.replace("{batch}", batch).encode())
        one.setblocking(False)  # noqa: FBT003  # the standard library's
        connections.append(one)

    def drip(ended: threading.Event) -> None:
        while not ended.wait(DRIP_S):
            for one in connections:
                try:
                    one.send(b"{")
                except OSError:
                    continue

    try:
        with beside(drip):
            yield connections
    finally:
        for one in connections:
            one.close()


def closed(connection: socket.socket) -> bool:
    """Whether the service has ended it."""
    try:
        while connection.recv(4096):
            """An answer; then the end."""
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


@pytest.mark.chaos
def test_ten_times_too_much() -> None:
    """Offered once as much as can be done, then ten times; what is done must hardly be less."""
    window_s = scaled(20, 60)
    photos = [
        Upload(
            sample_images.encoded(sample_images.synthetic_photo(SIDE, SIDE, n), "JPEG"),
            "image/jpeg",
            "cat",
        )
        for n in range(20)
    ]
    limits = {"PHOTOWARD_QUEUE_MAX_ITEMS": str(WAITING), "PHOTOWARD_WORKER_MAX_BATCH_ITEMS": "4"}
    with fresh_stack(**limits) as service:
        settings = Settings(data_dir=service.folder)
        capacity = offered(service, settings, photos, 0.0, window_s)[0]
        once = offered(service, settings, photos, capacity, window_s)[0]
        tenfold, statuses = offered(service, settings, photos, 10 * capacity, window_s)
        once = max(once, capacity)
        share = tenfold / once
        note(
            "overload ×10", f"goodput ≥ {GOODPUT:.0%}",
            f"{share:.0%}: {tenfold:.1f} photos a second instead of {once:.1f}, answers "
            f"{sorted(statuses)}",
            f"JPEG of {SIDE} × {SIDE}, {WAITING} may wait, batches of 4",
        )  # fmt: skip
        assert share >= GOODPUT
        assert statuses <= {202, 429, 503}
        ids = known_ids(settings)
        service.ended(ids, 120)
        audit(service, settings, ids)


def offered(
    service: Stack, settings: Settings, photos: list[Upload], per_s: float, window_s: float
) -> tuple[float, set[int]]:
    """Photos that are done a second, and what senders are answered.

    Args:
        service: where to.
        settings: of its ledger.
        photos: to be sent again and again.
        per_s: how many are sent; 0: just so many that there is always something to do.
        window_s: how long.
    """
    statuses: set[int] = set()
    began = time.monotonic()
    before = {row["id"] for row in rows(settings, "items") if row["state"] == "done"}
    numbers = itertools.count()

    def send() -> None:
        while (now := time.monotonic() - began) < window_s:
            number = next(numbers)
            if per_s:
                time.sleep(max(number / per_s - now, 0))  # the pace
            answer = sent(service, photos[number % len(photos)])
            statuses.add(202 if isinstance(answer, str) else answer)
            if not per_s and answer == 429:
                time.sleep(0.2)  # as one who waits

    with ThreadPoolExecutor(16 if per_s else UPLOADERS) as threads:
        for sending in [threads.submit(send) for _ in range(16 if per_s else UPLOADERS)]:
            sending.result()
    ended = [row for row in rows(settings, "items") if row["id"] not in before]
    done = sum(row["state"] == "done" for row in ended)
    return done / (time.monotonic() - began), statuses
