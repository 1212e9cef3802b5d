"""What a client says of its photos beside their options, and how it finds them again."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from photoward.core.webhooks import Event
from tests.api.http.service import picture, work
from tests.api.http.test_batches import zipped
from tests.api.http.test_refusals import assert_problem

if TYPE_CHECKING:
    from tests.api.http.conftest import ServiceFactory
    from tests.api.http.service import Service

NOTES = {"album": "Straße", "owner": "17"}
AS_TEXT = {"reference": "post-7", "metadata": json.dumps(NOTES)}


def found(service: Service, **query: Any) -> list[dict[str, Any]]:  # noqa: ANN401  # any parameter
    answer = service.client.get("/v1/images", params=query)
    assert answer.status_code == 200, answer.text
    images: list[dict[str, Any]] = answer.json()["items"]
    return images


def said(shown: dict[str, Any]) -> tuple[Any, Any]:
    return shown["reference"], shown["metadata"]


@pytest.mark.parametrize("way", ["query", "form", "upload"])
def test_reference_and_metadata_come_back(way: str, service: Service) -> None:
    photo = picture()
    if way == "query":
        answer = service.upload(photo, params=AS_TEXT)
    elif way == "form":
        file = ("a.png", photo, "image/png")
        answer = service.client.post("/v1/images", data=AS_TEXT, files={"file": file})
    else:
        begun = service.client.post("/v1/uploads", json={"bytes": len(photo)}).json()
        service.client.put(begun["url"], content=photo, headers=begun["headers"])
        body = {"upload": begun["id"], "reference": "post-7", "metadata": NOTES}
        answer = service.client.post("/v1/images", json=body)
    assert answer.status_code == 202, answer.text
    assert said(answer.json()) == ("post-7", NOTES)
    assert said(service.client.get(answer.headers["Location"]).json()) == ("post-7", NOTES)


def test_who_says_nothing_reads_nothing(service: Service) -> None:
    assert said(service.upload().json()) == (None, {})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("reference", ""),
        ("reference", "x" * 256),
        ("reference", "a\nb"),
        ("metadata", "date,camera"),
        ("metadata", "[]"),
        ("metadata", '{"a": 1}'),
        ("metadata", '{"a": "\\u0000"}'),
        ("metadata", '{"a": "\\ud800"}'),
        ("metadata", json.dumps({"k" * 41: ""})),
        ("metadata", json.dumps({"": ""})),
        ("metadata", json.dumps({"k": "v" * 501})),
        ("metadata", json.dumps({str(number): "" for number in range(51)})),
    ],
)
def test_what_is_beyond_the_limits_is_refused(field: str, value: str, service: Service) -> None:
    answer = service.client.post(
        "/v1/images", data={field: value}, files={"file": ("a.png", picture(), "image/png")}
    )
    assert_problem(answer, "invalid_option")
    assert answer.json()["field"] == field


def test_a_body_of_json_has_the_same_limits(service: Service) -> None:
    body = {"upload": "0" * 32, "metadata": {"k": "v" * 501}}
    answer = service.client.post("/v1/images", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, "metadata")


def test_the_limits_themselves_are_accepted(service: Service) -> None:
    notes = {f"{number:040}": "é" * 500 for number in range(50)}
    answer = service.client.post(
        "/v1/images",
        data={"reference": "r" * 255, "metadata": json.dumps(notes, ensure_ascii=False)},
        files={"file": ("a.png", picture(), "image/png")},
    )
    assert said(answer.json()) == ("r" * 255, notes)


def test_the_same_key_with_another_reference_is_another_request(service: Service) -> None:
    key = {"Idempotency-Key": "one and the same"}
    first = service.upload(headers=key, params={"reference": "a"})
    assert service.upload(headers=key, params={"reference": "a"}).json()["id"] == first.json()["id"]
    assert_problem(service.upload(headers=key, params={"reference": "b"}), "request_differs")


def test_images_are_found_by_reference_digest_and_state(make_service: ServiceFactory) -> None:
    service = make_service()
    first, second = picture(size=(41, 30)), picture(size=(42, 30))
    ids = [
        service.upload(data, params={"reference": name}).json()["id"]
        for data, name in ((first, "a"), (second, "a"), (first, "b"))
    ]
    assert [one["id"] for one in found(service)] == ids[::-1]
    assert [one["id"] for one in found(service, reference="a")] == [ids[1], ids[0]]
    digest = hashlib.sha256(first).hexdigest()
    assert [one["id"] for one in found(service, sha256=digest)] == [ids[2], ids[0]]
    assert [one["id"] for one in found(service, sha256=digest, reference="b")] == [ids[2]]
    assert found(service, reference="c") == found(service, state="succeeded") == []
    while work(service):
        """All of them."""
    assert len(found(service, state="succeeded")) == 3
    service.client.delete(f"/v1/images/{ids[0]}")
    assert [one["id"] for one in found(service, reference="a")] == [ids[1]]


def test_a_list_comes_in_pages(make_service: ServiceFactory) -> None:
    service = make_service()
    ids = [service.upload(params={"reference": "r"}).json()["id"] for _ in range(5)]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(3):
        query = {"reference": "r", "limit": "2", **cursor}
        page = service.client.get("/v1/images", params=query).json()
        seen += [one["id"] for one in page["items"]]
        cursor = {"cursor": page["next"]}
    assert seen == ids[::-1]
    assert page["next"] is None


@pytest.mark.parametrize(
    "query", [{"sha256": "ABC"}, {"state": "done"}, {"limit": 0}, {"cursor": "x"}]
)
def test_a_question_that_cannot_be_is_refused(query: dict[str, Any], service: Service) -> None:
    assert_problem(service.client.get("/v1/images", params=query), "invalid_option")


def test_a_batch_and_what_is_in_its_archive_have_their_own(make_service: ServiceFactory) -> None:
    service = make_service()
    batch = service.client.post(
        "/v1/batches", json={"name": "x", "reference": "album-1", "metadata": {"owner": "17"}}
    ).json()
    assert said(batch) == ("album-1", {"owner": "17"})
    line = {"file": "a.png", "reference": "photo-1", "metadata": NOTES}
    files = {"manifest.ndjson": json.dumps(line).encode(), "a.png": picture(), "b.png": picture()}
    here = batch["links"]["self"]
    sent = service.client.post(
        f"{here}/archive", content=zipped(files), headers={"Content-Type": "application/zip"}
    )
    assert '"refused": 0' in sent.text, sent.text
    answer = service.client.get(f"{here}/results")
    results = {one["file"]: one for one in map(json.loads, answer.text.splitlines())}
    assert said(results["a.png"]) == ("photo-1", NOTES)
    assert said(results["b.png"]) == (None, {})
    assert said(service.client.get(here).json()) == ("album-1", {"owner": "17"})


def test_messages_repeat_them(make_service: ServiceFactory) -> None:
    service = make_service()
    hook = service.ledger.webhooks.add("0" * 16, "default", "https://a.example/x", set(Event))
    service.upload(params=AS_TEXT)
    work(service)
    (told,) = service.ledger.webhooks.list_deliveries("default", hook.id, after=0, limit=9)
    assert told.event == "image.succeeded"
    assert said(told.payload["data"]) == ("post-7", NOTES)


def test_nothing_of_them_stays_of_a_deleted_image(make_service: ServiceFactory) -> None:
    service = make_service()
    made = service.upload(params={"reference": "unmistakable", "metadata": '{"k": "unmistakable"}'})
    service.client.delete(made.headers["Location"])
    service.ledger.scrub()
    assert found(service, reference="unmistakable") == []
