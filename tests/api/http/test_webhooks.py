"""Webhooks over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from photoward.core.key_derivation import webhook_secret
from tests.api.http.service import MASTER, work
from tests.api.http.test_refusals import assert_problem

if TYPE_CHECKING:
    from tests.api.http.conftest import ServiceFactory
    from tests.api.http.service import Service

URL = "https://photos.example/hook"


def made(service: Service, **more: Any) -> dict[str, Any]:  # noqa: ANN401  # JSON
    answer = service.client.post("/v1/webhooks", json={"url": URL, **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_webhook_is_made_listed_rotated_and_deleted(service: Service) -> None:
    hook = made(service, events=["image.succeeded"])
    assert hook["secret"] == webhook_secret(MASTER, hook["id"], 1)
    listed = service.client.get("/v1/webhooks")
    assert "secret" not in listed.text
    assert [one["url"] for one in listed.json()["webhooks"]] == [URL]
    rotated = service.client.post(f"/v1/webhooks/{hook['id']}/rotate").json()
    assert rotated["secret"] == webhook_secret(MASTER, hook["id"], 2) != hook["secret"]
    assert service.client.delete(f"/v1/webhooks/{hook['id']}").status_code == 204
    assert service.client.get("/v1/webhooks").json() == {"webhooks": []}


def test_messages_are_listed_page_by_page_and_sent_again(service: Service) -> None:
    hook = made(service)
    place = f"/v1/webhooks/{hook['id']}/deliveries"
    ids = [service.upload().json()["id"] for _ in range(3)]
    while work(service):
        """Until all are done."""
    first = service.client.get(place, params={"limit": 2}).json()
    rest = service.client.get(place, params={"limit": 2, "cursor": first["next"]}).json()
    shown = [*first["items"], *rest["items"]]
    assert [one["payload"]["data"]["id"] for one in shown] == ids
    assert rest["next"] is None
    assert {one["state"] for one in shown} == {"pending"}
    again = service.client.post(f"{place}/{shown[0]['id']}/replay")
    assert (again.status_code, again.json()["attempts"]) == (202, 0)
    service.client.delete(f"/v1/webhooks/{hook['id']}")


def deliveries(service: Service, hook_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = service.client.get(f"/v1/webhooks/{hook_id}/deliveries").json()[
        "items"
    ]
    return found


def test_links_in_messages_are_absolute(make_service: ServiceFactory) -> None:
    service = make_service()
    hook = made(service)
    image = service.upload().json()["id"]
    work(service)
    (told,) = deliveries(service, hook["id"])
    here = f"{service.url}/v1/images/{image}"
    assert told["payload"]["data"]["links"] == {"self": here, "content": f"{here}/content"}
    assert service.client.get(f"{here}/content").status_code == 200
    public = make_service(http_public_url="https://photos.example/protect/")
    hook = made(public)
    public.upload()
    work(public)
    (told,) = deliveries(public, hook["id"])
    link = told["payload"]["data"]["links"]["self"]
    assert link.startswith("https://photos.example/protect/v1/images/")


def test_a_test_message_shows_whether_a_receiver_answers(service: Service) -> None:
    hook = made(service, events=["batch.completed"])
    sent = service.client.post(f"/v1/webhooks/{hook['id']}/test")
    assert (sent.status_code, sent.json()["event"]) == (202, "webhook.test")
    assert [one["id"] for one in deliveries(service, hook["id"])] == [sent.json()["id"]]
    service.ledger.webhooks.disable(hook["id"])
    assert_problem(service.client.post(f"/v1/webhooks/{hook['id']}/test"), "webhook_disabled")
    service.client.delete(f"/v1/webhooks/{hook['id']}")


def test_nobody_subscribes_to_test_messages(service: Service) -> None:
    answer = service.client.post("/v1/webhooks", json={"url": URL, "events": ["webhook.test"]})
    assert_problem(answer, "invalid_option")
    assert "webhook.test" not in made(service)["events"]


def test_a_callback_is_signed_with_the_secret_of_callbacks(make_service: ServiceFactory) -> None:
    service = make_service()
    image = service.upload(params={"callback_url": URL, "reference": "post-1"}).json()["id"]
    work(service)
    hook = service.client.get("/v1/webhooks/callbacks").json()
    assert hook["secret"] == webhook_secret(MASTER, hook["id"], 1)
    assert (hook["url"], hook["events"]) == (None, [])
    assert [one["id"] for one in service.client.get("/v1/webhooks").json()["webhooks"]] == [
        hook["id"]
    ]
    (told,) = deliveries(service, hook["id"])
    assert (told["url"], told["event"]) == (URL, "image.succeeded")
    assert told["payload"]["data"]["reference"] == "post-1"
    link = told["payload"]["data"]["links"]["self"]
    assert link == f"{service.url}/v1/images/{image}"
    assert_problem(service.client.post(f"/v1/webhooks/{hook['id']}/test"), "no_url")


def test_a_batch_and_a_named_photo_have_callbacks_too(make_service: ServiceFactory) -> None:
    service = make_service(fetch_allow_urls=True)
    batch = service.client.post("/v1/batches", json={"callback_url": URL})
    assert batch.status_code == 201
    assert service.client.post(f"{batch.json()['links']['self']}/close").status_code == 200
    service.ledger.webhooks.list_due()
    hook = service.client.get("/v1/webhooks/callbacks").json()
    (told,) = deliveries(service, hook["id"])
    assert (told["event"], told["url"]) == ("batch.completed", URL)
    link = told["payload"]["data"]["links"]["self"]
    assert link == f"{service.url}/v1/batches/{batch.json()['id']}"


@pytest.mark.parametrize("url", ["http://a.example", "https://127.0.0.1/x", "nonsense", ""])
def test_a_callback_that_would_not_be_sent_is_refused(url: str, service: Service) -> None:
    for answer in (
        service.upload(params={"callback_url": url}),
        service.client.post("/v1/batches", json={"callback_url": url}),
    ):
        assert_problem(answer, "invalid_option")
        assert answer.json()["field"] == "callback_url"


@pytest.mark.parametrize(
    "wanted",
    [{}, {"url": "nonsense"}, {"url": "http://photos.example"}, {"url": "https://"},
     {"url": "https://127.0.0.1/x"}, {"url": "https://[::1]/x"}, {"url": "https://u:p@a.example"},
     {"url": "https://a.example:99999"}, {"url": "https://a.example/ x"}, {"url": "https://[x"},
     {"url": URL, "events": []}, {"url": URL, "events": ["image.lost"]}, {"url": URL, "x": 1},
     {"url": "https://a.example/" + "x" * 2048}, {"url": "https://a.example/ü"}],
)  # fmt: skip
def test_a_webhook_that_cannot_be_is_refused(wanted: dict[str, Any], service: Service) -> None:
    assert_problem(service.client.post("/v1/webhooks", json=wanted), "invalid_option")


def test_ones_own_network_can_be_allowed(make_service: ServiceFactory) -> None:
    service = make_service(webhook_allow_private=True)
    assert made(service, url="http://127.0.0.1:9/x")["url"] == "http://127.0.0.1:9/x"


@pytest.mark.parametrize("path", ["x", "0" * 16, "0" * 15 + "G"])
def test_no_other_id_finds_anything(path: str, service: Service) -> None:
    for method, end in (("DELETE", ""), ("POST", "/rotate"), ("GET", "/deliveries")):
        answer = service.client.request(method, f"/v1/webhooks/{path}{end}")
        assert_problem(answer, "not_found")
