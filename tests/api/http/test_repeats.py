"""Uploads that are sent again, and bodies that say what they are."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from photoward.core import failpoints
from photoward.core.ledger import open_ledger
from photoward.core.object_keys import original_key
from photoward.core.settings import Settings
from tests.api.http.service import picture, serving, working
from tests.support.servers import fresh_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from tests.api.http.service import Service


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with serving(tmp_path) as made:
        yield made


def send(service: Service, data: bytes, path: str = "/v1/images", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return service.client.post(path, content=data, headers={"Content-Type": "image/png", **named})


def test_an_upload_sent_again_is_the_same_item_and_leaves_nothing(service: Service) -> None:
    data = picture()
    first = send(service, data, Idempotency_Key="one")
    again = send(service, data, Idempotency_Key="one")
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    assert len(service.kept()) == 1
    assert send(service, data, Idempotency_Key="two").json()["id"] != first.json()["id"]


def test_a_key_for_another_photo_or_option_is_refused(service: Service) -> None:
    send(service, picture(), Idempotency_Key="one")
    for data, path in ((picture(size=(50, 50)), "/v1/images"), (picture(), "/v1/images?label=x")):
        answer = send(service, data, path, Idempotency_Key="one")
        assert (answer.status_code, answer.json()["code"]) == (422, "request_differs")
    assert len(service.kept()) == 1


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_that_is_none_is_refused_before_the_body(service: Service, key: str) -> None:
    answer = send(service, picture(), Idempotency_Key=key)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_option")
    assert answer.json()["field"] == "Idempotency-Key"
    assert service.kept() == []


def test_a_batch_is_made_once(service: Service) -> None:
    def make(**body: str) -> httpx.Response:
        return service.client.post("/v1/batches", json=body, headers={"Idempotency-Key": "b"})

    assert make(name="x").json()["id"] == make(name="x").json()["id"]
    assert make(name="y").json()["code"] == "request_differs"


def digest(data: bytes, name: str = "sha-256") -> str:
    hashed = hashlib.new(name.replace("-", ""), data).digest()
    return f"{name}=:{base64.b64encode(hashed).decode()}:"


def test_a_body_is_compared_with_its_digest(service: Service) -> None:
    data = picture()
    for header in (digest(data), f"{digest(data, 'sha-512')}, {digest(data)}", "md5=:AAAA:", ""):
        assert send(service, data, Content_Digest=header).status_code == 202
    kept = len(service.kept())
    for header in (digest(b"x"), f"{digest(data)}, {digest(b'x', 'sha-512')}"):
        answer = send(service, data, Content_Digest=header)
        assert (answer.status_code, answer.json()["code"]) == (400, "digest_mismatch")
    assert len(service.kept()) == kept


@pytest.mark.parametrize("header", ["sha-256", "sha-256=abc", "sha-256=:a:", "sha-256=:====:"])
def test_a_digest_that_cannot_be_read_is_refused(service: Service, header: str) -> None:
    answer = send(service, picture(), Content_Digest=header)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")
    assert service.kept() == []


@pytest.fixture(params=["sqlite", "postgresql"])
def losing(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    """A service whose ledger's next answer to an upload is lost once the upload is committed."""
    points = tmp_path / "points"
    points.mkdir()
    (points / failpoints.ANSWER_LOST).touch()
    monkeypatch.setattr(failpoints, "_FOLDER", str(points))
    if request.param == "sqlite":
        with serving(tmp_path / "data") as made:
            yield made
        return
    with fresh_database(request.getfixturevalue("postgres_url")) as url:
        ledger = open_ledger(Settings(data_dir=tmp_path, database_url=SecretStr(url)))
        with serving(tmp_path / "data", ledger=ledger) as made:
            yield made


def test_when_the_answer_to_a_commit_is_lost_the_photo_is_not(losing: Service) -> None:
    first = send(losing, picture(), Idempotency_Key="one")
    assert (first.status_code, first.json()["code"]) == (503, "unavailable")
    again = send(losing, picture(), Idempotency_Key="one")
    assert again.status_code == 202
    assert losing.kept() == [original_key("default", again.json()["id"])]
    with working(losing):
        later = send(losing, picture(), Idempotency_Key="one", Prefer="wait=10").json()
    assert (later["id"], later["state"]) == (again.json()["id"], "succeeded")
    assert losing.ledger.items.count_by_state() == {"done": 1}


def test_when_the_answer_to_its_use_is_lost_an_upload_becomes_one_photo(losing: Service) -> None:
    data = picture()
    begun = losing.client.post("/v1/uploads", json={"bytes": len(data)}).json()
    losing.client.put(begun["url"], content=data, headers=begun["headers"]).raise_for_status()
    for status in (503, 202, 202):
        answer = losing.client.post("/v1/images", json={"upload": begun["id"]})
        assert answer.status_code == status
    assert losing.store.get(original_key("default", answer.json()["id"])) == data
    assert losing.ledger.items.count_by_state() == {"queued": 1}
