"""A photo in, the protected photo out."""

from __future__ import annotations

import hashlib
import http.client
import io
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from photoward.core.catalogue import DEFAULT_PRESET, PRESETS
from tests.api.http.service import picture, work, working
from tests.api.http.test_refusals import assert_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.api.http.conftest import ServiceFactory
    from tests.api.http.service import Service

PNG = {"Content-Type": "image/png"}


def test_the_answer_is_the_file_and_nothing_is_kept(make_service: ServiceFactory) -> None:
    service = make_service()
    with working(service):
        answer = service.client.post(
            "/v1/protect?preset=subtle&output_format=webp", content=picture(), headers=PNG
        )
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "image/webp"
        assert answer.headers["ETag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'
        assert Image.open(io.BytesIO(answer.content)).size == (40, 30)
        form = {"file": ("cat.png", picture(), "image/png")}
        answer = service.client.post("/v1/protect", files=form, data={"preset": "subtle"})
        change = np.asarray(Image.open(io.BytesIO(answer.content)), int)
        change -= np.asarray(Image.open(io.BytesIO(picture())), int)
        assert abs(change).max() == PRESETS["subtle"].epsilon
        assert "cat-protected.png" in answer.headers["Content-Disposition"]
    assert_nothing_is_kept(service)


def test_it_can_be_kept(make_service: ServiceFactory) -> None:
    service = make_service()
    with working(service):
        answer = service.client.post("/v1/protect?keep=true", content=picture(), headers=PNG)
    place = answer.headers["Content-Location"]
    assert service.client.get(f"{place}/content").content == answer.content


def test_who_prefers_it_gets_an_image_instead_of_waiting(make_service: ServiceFactory) -> None:
    service = make_service()
    for preferred in ("respond-async", "wait=0, Respond-Async"):
        answer = service.client.post(
            "/v1/protect", content=picture(), headers={**PNG, "Prefer": preferred}
        )
        assert answer.status_code == 202
        assert answer.headers["Preference-Applied"] == "respond-async"
        assert answer.headers["Location"] == f"/v1/images/{answer.json()['id']}"
    assert work(service) == 2
    before = service.kept()
    with working(service):
        headers = {**PNG, "Prefer": "respond-async, wait=20"}
        answer = service.client.post("/v1/protect", content=picture(), headers=headers)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/png"
    until(lambda: service.kept() == before)


@pytest.mark.parametrize("query", ["", "?keep=true"])
def test_nobody_else_ever_gets_json(make_service: ServiceFactory, query: str) -> None:
    service = make_service()
    headers = {**PNG, "Prefer": "wait=0", "Accept": "application/json"}
    answer = service.client.post(f"/v1/protect{query}", content=picture(), headers=headers)
    assert_problem(answer, "not_in_time")
    assert int(answer.headers["Retry-After"]) > 0
    assert_nothing_is_kept(service)


def test_what_was_measured_is_in_headers(make_service: ServiceFactory) -> None:
    service = make_service()
    with working(service):
        answer = service.client.post("/v1/protect?keep=true", content=picture(), headers=PNG)
    image = service.client.get(answer.headers["Content-Location"]).json()
    told = {
        name.removeprefix("photoward-"): value
        for name, value in answer.headers.items()
        if name.startswith("photoward-")
    }
    assert told == {
        "image": image["id"],
        "method": "sem",
        "preset": DEFAULT_PRESET,
        "epsilon": f"{image['options']['epsilon']:g}",
        "surrogate": "test",
        "visibility": "1.26",
        "psnr-db": "38.2",
        "ssim": "0.987",
    }


def test_what_is_refused_or_fails_is_a_problem(make_service: ServiceFactory) -> None:
    service = make_service()
    assert_problem(service.client.post("/v1/protect", content=b"nonsense"), "not_an_image")
    assert_problem(
        service.client.post("/v1/protect?preset=brutal", content=picture()), "unknown_preset"
    )
    with working(service):
        cut = picture(size=(400, 300))[:-500]
        answer = service.client.post("/v1/protect", content=cut, headers=PNG)
    assert_problem(answer, "corrupt")
    assert_nothing_is_kept(service)


def test_nothing_is_kept_of_what_takes_too_long(make_service: ServiceFactory) -> None:
    service = make_service(http_max_wait_seconds=0.2)
    answer = service.client.post("/v1/protect", content=picture(), headers=PNG)
    assert_problem(answer, "not_in_time")
    assert answer.headers["Retry-After"]
    assert "Location" not in answer.headers
    assert_nothing_is_kept(service)


def test_nothing_is_kept_of_what_nobody_waits_for(make_service: ServiceFactory) -> None:
    service = make_service()
    with sent(service, picture()):
        until(lambda: service.ledger.items.count_by_state() == {"queued": 1})
    assert_nothing_is_kept(service)
    with sent(service, picture()):
        until(lambda: service.ledger.items.count_by_state() == {"queued": 1})
        claim = service.ledger.items.claim(limit=1, max_megapixels=9, lease=timedelta(minutes=1))
    until(lambda: not service.ledger.items.count_by_state())
    assert not service.ledger.items.renew_lease(claim[0].lease_token or "", timedelta(minutes=1))
    assert_nothing_is_kept(service)


def test_nothing_is_kept_when_the_answer_breaks_off(make_service: ServiceFactory) -> None:
    service = make_service()
    large = np.random.default_rng(1).integers(0, 256, (1500, 2000, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(large).save(file, "PNG", compress_level=0)
    with working(service), sent(service, file.getvalue()) as wire:
        assert wire.getresponse().read(1000)
    assert_nothing_is_kept(service)


def test_a_request_that_is_repeated_gets_the_same_bytes(make_service: ServiceFactory) -> None:
    service = make_service()
    headers = {**PNG, "Idempotency-Key": "photo-7"}
    with working(service):
        first = service.client.post("/v1/protect", content=picture(), headers=headers)
    assert first.status_code == 200
    again = service.client.post("/v1/protect", content=picture(), headers=headers)
    assert again.status_code == 200, "no worker is needed"
    assert again.content == first.content
    assert again.headers["Photoward-Image"] == first.headers["Photoward-Image"]
    item = service.ledger.items.get("default", first.headers["Photoward-Image"])
    assert item.details.retention_s == 3600
    other = service.client.post("/v1/protect", content=picture(size=(20, 10)), headers=headers)
    assert_problem(other, "request_differs")
    image = service.client.post("/v1/images", content=picture(), headers=headers).json()
    assert image["id"] != item.id, "keys of one operation are none of another"


def test_of_what_ends_without_a_file_its_key_keeps_nothing(make_service: ServiceFactory) -> None:
    service = make_service(http_max_wait_seconds=0.5)
    headers = {**PNG, "Idempotency-Key": "photo-7"}
    with ThreadPoolExecutor(2) as threads:
        answers = list(
            threads.map(
                lambda _: service.client.post("/v1/protect", content=picture(), headers=headers),
                range(2),
            )
        )
    for answer in answers:
        assert_problem(answer, "not_in_time")
    assert_nothing_is_kept(service)

    def answered() -> bool:
        answer = service.client.post("/v1/protect", content=picture(), headers=headers)
        return answer.status_code == 200

    with working(service):
        until(answered)


@contextmanager
def sent(service: Service, photo: bytes) -> Iterator[http.client.HTTPConnection]:
    """A caller who leaves at the end of the block."""
    with closing(http.client.HTTPConnection(*service.address(), timeout=20)) as wire:
        wire.request("POST", "/v1/protect?label=unmistakable", photo, PNG)
        yield wire


def until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.01)


def assert_nothing_is_kept(service: Service) -> None:
    """At once or, of what went wrong while it left, soon."""
    until(lambda: not service.kept() and not service.ledger.items.count_by_state())
    with sqlite3.connect(service.settings.data_dir / "ledger.sqlite") as ledger:
        kept = ledger.execute("SELECT options, source FROM items").fetchall()
    assert "unmistakable" not in repr(kept)
