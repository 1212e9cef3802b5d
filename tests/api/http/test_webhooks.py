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
