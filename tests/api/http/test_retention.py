"""Images that expire, and photos that are named one by one."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from photoward.core.ledger.tables import items
from tests.api.http.service import picture, work
from tests.api.http.test_batches import zipped
from tests.api.http.test_refusals import assert_problem
from tests.support.web import site

if TYPE_CHECKING:
    from tests.api.http.conftest import ServiceFactory
    from tests.api.http.service import Service

DAY_S = 86_400
WEB = {"fetch_allow_urls": True, "fetch_allow_private": True, "fetch_poll_interval_seconds": 0.05}


def seconds_left(image: dict[str, Any]) -> float:
    """Until it expires."""
    return (datetime.fromisoformat(image["expires_at"]) - datetime.now(UTC)).total_seconds()


def ended(service: Service, here: str) -> dict[str, Any]:
    while work(service):
        """All that is queued."""
    found: dict[str, Any] = service.client.get(here).json()
    return found


def test_an_image_expires_when_its_request_says_so(service: Service) -> None:
    answer = service.upload(params={"expires_in_seconds": 3600})
    assert answer.json()["expires_at"] is None
    assert 3500 < seconds_left(ended(service, answer.headers["Location"])) <= 3600
    assert service.client.get("/v1/limits").json()["retention_s"] is None


def test_without_a_setting_images_are_kept(service: Service) -> None:
    assert ended(service, service.upload().headers["Location"])["expires_at"] is None


def test_an_expired_image_is_gone_and_says_so(make_service: ServiceFactory) -> None:
    service = make_service()
    here = service.upload(params={"expires_in_seconds": 60}).headers["Location"]
    image = ended(service, here)
    (one,) = service.ledger.items.list_newest("default", before=None, limit=1)
    assert one[1].id == image["id"]
    assert service.ledger.items.delete_expired(9) == []
    _let_expire(service, image["id"])
    assert len(service.ledger.items.delete_expired(9)) == 1
    for path in (here, f"{here}/content", f"{here}/events"):
        assert_problem(service.client.get(path), "expired")
    assert service.client.head(f"{here}/content").status_code == 410
    assert_problem(service.client.delete(here), "not_found")
    assert service.client.get("/v1/images").json()["items"] == []


def _let_expire(service: Service, item_id: str) -> None:
    with service.ledger._engine.begin() as connection:
        connection.execute(
            update(items).where(items.c.id == item_id).values(expires_at=datetime.now(UTC))
        )


def test_the_setting_is_the_default_and_the_limit(make_service: ServiceFactory) -> None:
    service = make_service(retention_image_days=7)
    assert service.client.get("/v1/limits").json()["retention_s"] == 7 * DAY_S
    plain = ended(service, service.upload().headers["Location"])
    assert 6.9 * DAY_S < seconds_left(plain) <= 7 * DAY_S
    short = service.upload(params={"expires_in_seconds": 60})
    assert seconds_left(ended(service, short.headers["Location"])) <= 60
    long = service.upload(params={"expires_in_seconds": 7 * DAY_S + 1})
    assert_problem(long, "invalid_option")
    assert long.json()["field"] == "expires_in_seconds"


@pytest.mark.parametrize("wanted", [0, 59, -1, "soon", 10**12])
def test_a_time_that_cannot_be_is_refused(wanted: object, service: Service) -> None:
    assert_problem(service.upload(params={"expires_in_seconds": str(wanted)}), "invalid_option")


def test_a_batch_gives_its_images_their_time(make_service: ServiceFactory) -> None:
    service = make_service()
    batch = service.client.post("/v1/batches", json={"expires_in_seconds": 3600}).json()
    line = {"file": "b.png", "expires_in_seconds": 600}
    files = {"manifest.ndjson": json.dumps(line).encode(), "a.png": picture(), "b.png": picture()}
    here = batch["links"]["self"]
    service.client.post(
        f"{here}/archive", content=zipped(files), headers={"Content-Type": "application/zip"}
    )
    service.upload(params={"batch": batch["id"]})
    while work(service):
        """All of them."""
    found = service.client.get(f"{here}/images").json()["items"]
    left = {one["source"]["filename"]: seconds_left(one) for one in found}
    assert 590 < left["b.png"] <= 600
    assert 3500 < left["a.png"] <= 3600
    assert 3500 < left[None] <= 3600


def test_a_batch_is_closed_and_counts_what_was_refused(make_service: ServiceFactory) -> None:
    service = make_service()
    batch = service.client.post("/v1/batches", json={}).json()
    here = batch["links"]["self"]
    assert (batch["state"], batch["refused"]) == ("open", 0)
    assert_problem(service.upload(b"no photo", params={"batch": batch["id"]}), "not_an_image")
    files = {"a.png": picture(), "b.png": b"none", "c.png": b""}
    zipping = {"Content-Type": "application/zip"}
    service.client.post(f"{here}/archive", content=zipped(files), headers=zipping)
    lines = b'{"key": "nowhere/a.png"}\n{}'
    manifest = {"Content-Type": "application/x-ndjson"}
    service.client.post(f"{here}/manifest", content=lines, headers=manifest)
    shown = service.client.get(here).json()
    assert (shown["refused"], shown["total"]) == (5, 1)
    assert service.client.post(f"{here}/close").json()["state"] == "closed"
    assert_problem(service.upload(params={"batch": batch["id"]}), "batch_closed")
    again = service.client.post(f"{here}/archive", content=zipped(files), headers=zipping)
    assert_problem(again, "batch_closed")
    again = service.client.post(f"{here}/manifest", content=lines, headers=manifest)
    assert_problem(again, "batch_closed")
    while work(service):
        """Its only photo."""
    shown = service.client.post(f"{here}/close").json()
    assert (shown["state"], shown["refused"]) == ("completed", 5)


def settled(service: Service, here: str) -> dict[str, Any]:
    """A photo that is fetched, once it has ended."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        found = ended(service, here)
        if found["state"] in {"succeeded", "failed"}:
            return found
        time.sleep(0.02)
    pytest.fail("it has not ended")


def test_a_single_photo_is_fetched_from_a_url(make_service: ServiceFactory) -> None:
    service = make_service(**WEB)
    with site(a_png=picture()) as web:
        body = {"url": f"{web.url}/a.png", "label": "cat", "reference": "r", "metadata": {"k": "v"}}
        answer = service.client.post("/v1/images", json=body)
        assert (answer.status_code, answer.json()["state"]) == (202, "queued")
        image = settled(service, answer.headers["Location"])
    assert (image["state"], image["label_used"], image["reference"]) == ("succeeded", "cat", "r")
    assert (image["source"]["filename"], image["batch"]) == ("a.png", None)


def test_a_photo_that_is_not_there_fails(make_service: ServiceFactory) -> None:
    service = make_service(**WEB)
    with site() as web:
        answer = service.client.post("/v1/images", json={"url": f"{web.url}/a.png"})
        image = settled(service, answer.headers["Location"])
    assert (image["state"], image["error"]["code"]) == ("failed", "source_missing")


def test_the_same_url_under_the_same_key_is_one_image(make_service: ServiceFactory) -> None:
    service = make_service(fetch_allow_urls=True, fetch_poll_interval_seconds=60.0)
    key = {"Idempotency-Key": "once"}

    def send(**more: str) -> Any:  # noqa: ANN401  # JSON
        body = {"url": "https://photos.example/a.png", **more}
        return service.client.post("/v1/images", json=body, headers=key).json()

    assert send()["id"] == send()["id"]
    assert send(label="cat")["code"] == "request_differs"
    other = service.client.post("/v1/images", json={"url": "https://photos.example/a.png"})
    assert other.json()["id"] != send()["id"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_option"),
        ({"url": "https://a.example/a.png", "key": "inbox/a.png"}, "invalid_option"),
        ({"url": ""}, "invalid_option"),
        ({"url": "https://127.0.0.1/a.png"}, "source_blocked"),
        ({"url": "ftp://a.example/a.png"}, "source_blocked"),
        ({"key": "inbox/a.png"}, "source_blocked"),
        ({"upload": "0" * 32}, "not_found"),
    ],
)
def test_a_source_that_cannot_be_is_refused(
    body: dict[str, str], code: str, make_service: ServiceFactory
) -> None:
    service = make_service(fetch_allow_urls=True)
    assert_problem(service.client.post("/v1/images", json=body), code)
    assert service.client.get("/v1/images").json()["items"] == []
