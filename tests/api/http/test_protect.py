"""A photo in, the protected photo out."""

from __future__ import annotations

import hashlib
import io
import time
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from tests.api.http.service import picture, working
from tests.api.http.test_refusals import assert_problem

if TYPE_CHECKING:
    from tests.api.http.conftest import ServiceFactory

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
        assert abs(change).max() == 2
        assert "cat-protected.png" in answer.headers["Content-Disposition"]
    until = time.monotonic() + 5
    while service.kept() and time.monotonic() < until:  # it goes once the answer has left
        time.sleep(0.01)
    assert service.kept() == []
    assert service.ledger.depth() == {}


def test_it_can_be_kept(make_service: ServiceFactory) -> None:
    service = make_service()
    with working(service):
        answer = service.client.post("/v1/protect?keep=true", content=picture(), headers=PNG)
    place = answer.headers["Content-Location"]
    assert service.client.get(f"{place}/content").content == answer.content


def test_who_cannot_be_served_in_time_is_told_where_to_ask(make_service: ServiceFactory) -> None:
    service = make_service(max_wait_s=0.2)
    answer = service.client.post("/v1/protect", content=picture(), headers=PNG)
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/v1/images/{answer.json()['id']}"


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
