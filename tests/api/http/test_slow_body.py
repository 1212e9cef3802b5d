"""Senders that take their time."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from photoward.api.ingest.admission import MAX_BODIES
from tests.api.http.service import picture, serving
from tests.api.http.test_batches import zipped
from tests.api.http.test_streaming import Wire

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.api.http.service import Service

GRACE_S, BYTES_PER_S = 0.3, 100


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[Service]:
    with serving(
        tmp_path, http_body_timeout_seconds=GRACE_S, http_body_min_bytes_per_second=BYTES_PER_S
    ) as made:
        yield made


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/v1/images", "image/png"), ("/v1/batches", "application/json")],
)
def test_a_body_that_does_not_come_is_refused(path: str, kind: str, hasty: Service) -> None:
    wire = Wire(hasty)
    with closing(wire.socket):
        began = time.monotonic()
        wire.post(f"Content-Type: {kind}", "Content-Length: 90", body=b"\x89PNG\r\n", path=path)
        assert wire.answer() == (408, "too_slow")
        assert GRACE_S <= time.monotonic() - began < 2
        assert not wire.socket.recv(1), "the connection is not kept for the rest"
    assert not hasty.kept()


def test_who_sends_steadily_may_take_longer(hasty: Service) -> None:
    data = picture()
    pace = len(data) // 10 + 1
    wire = Wire(hasty)
    with closing(wire.socket):
        began = time.monotonic()
        wire.post("Content-Type: image/png", f"Content-Length: {len(data)}")
        for start in range(0, len(data), pace):
            time.sleep(GRACE_S / 5)  # the pace is what is tested
            wire.socket.sendall(data[start : start + pace])
        assert wire.answer()[0] == 202
        assert time.monotonic() - began > GRACE_S


def test_slow_archives_do_not_keep_others_out(hasty: Service) -> None:
    batch = hasty.client.post("/v1/batches", json={}).json()["links"]["self"]
    slow = [Wire(hasty) for _ in range(MAX_BODIES // 2)]
    try:
        for wire in slow:
            wire.post(
                "Content-Type: application/zip", "Content-Length: 9999", path=f"{batch}/archive"
            )
        assert [wire.answer() for wire in slow] == [(408, "too_slow")] * (MAX_BODIES // 2)
        headers = {"Content-Type": "application/zip"}
        whole = zipped({"a.png": picture()})
        assert hasty.client.post(f"{batch}/archive", content=whole, headers=headers).is_success
    finally:
        for wire in slow:
            wire.socket.close()
