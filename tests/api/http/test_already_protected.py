"""Protected files that are sent again, by every way in which a photo can come."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from photoward.core import api_keys
from photoward.core.api_keys import TENANT_SCOPES
from photoward.core.output_marks import output_mark
from tests.api.http.service import PEPPER, picture, work, working
from tests.api.http.test_batches import lines, made, zipped
from tests.api.http.test_batches import send as send_zip
from tests.api.http.test_manifests import WEB, arrived, codes, send
from tests.api.http.test_protect import assert_nothing_is_kept
from tests.api.http.test_refusals import assert_problem
from tests.api.http.test_uploads import PART, TUS
from tests.support.web import site

if TYPE_CHECKING:
    import httpx

    from tests.api.http.conftest import ServiceFactory
    from tests.api.http.service import Service

MARKED = {
    kind: picture(kind.upper(), xmp=output_mark(b"12345678").encode()) for kind in ("jpeg", "webp")
}


@pytest.fixture
def service(make_service: ServiceFactory) -> Service:
    return make_service()


def protected(service: Service) -> tuple[str, bytes]:
    """A finished image and its file."""
    image_id = service.upload().json()["id"]
    assert work(service) == 1
    return image_id, service.client.get(f"/v1/images/{image_id}/content").content


@pytest.mark.parametrize("path", ["/v1/images", "/v1/protect"])
def test_ones_own_output_is_refused_and_named(service: Service, path: str) -> None:
    image_id, data = protected(service)
    before = service.kept()
    answer = service.client.post(path, content=data)
    assert_problem(answer, "already_protected")
    assert answer.json()["image"] == image_id
    assert image_id in answer.json()["detail"]
    assert service.kept() == before
    assert service.client.delete(f"/v1/images/{image_id}").status_code == 204
    assert service.upload(data).status_code == 202  # this stand-in for a worker makes no marks


@pytest.mark.parametrize("data", MARKED.values(), ids=MARKED)
def test_a_marked_file_is_refused_whoever_made_it(service: Service, data: bytes) -> None:
    answer = service.client.post("/v1/protect", content=data)
    assert_problem(answer, "already_protected")
    assert "image" not in answer.json()
    assert service.kept() == []


def test_the_output_of_another_tenant_is_not_named(make_service: ServiceFactory) -> None:
    service = make_service(http_require_keys=True)
    answers: list[httpx.Response] = []
    for tenant in ("alice", "bob"):
        minted = api_keys.generate(PEPPER)
        service.ledger.api_keys.add(minted, tenant, "test", TENANT_SCOPES, None)
        headers = {"X-API-Key": minted.text}
        if not answers:
            image_id = service.upload(headers=headers).json()["id"]
            work(service)
            place = f"/v1/images/{image_id}/content"
            data = service.client.get(place, headers=headers).content
        answers.append(service.upload(data, headers=headers))
    assert_problem(answers[0], "already_protected")
    assert answers[1].status_code == 202


def test_it_is_passed_unchanged_if_asked(service: Service) -> None:
    data = MARKED["webp"]
    with working(service):
        answer = service.client.post("/v1/protect?already_protected=pass", content=data)
        assert answer.status_code == 200
        assert answer.content == data
        assert answer.headers["Content-Type"] == "image/webp"
        assert answer.headers["Photoward-Already-Protected"] == "true"
        assert "Photoward-Visibility" not in answer.headers
        photo = service.client.post("/v1/protect?already_protected=pass", content=picture())
        assert photo.content != picture()
        assert "Photoward-Already-Protected" not in photo.headers
    assert_nothing_is_kept(service)


def test_as_an_image_it_succeeds_unchanged(service: Service) -> None:
    answer = service.upload(
        MARKED["jpeg"], headers={"Content-Type": "image/jpeg"}, params={"already_protected": "pass"}
    )
    work(service)
    place = answer.json()["links"]["self"]
    image = service.client.get(place).json()
    assert image["state"] == "succeeded"
    assert image["source"]["protected"] is True
    assert image["output"]["sha256"] == image["source"]["sha256"]
    assert image["label_used"] is None
    assert service.client.get(f"{place}/content").content == MARKED["jpeg"]


def test_sizes_are_not_made_of_it(service: Service) -> None:
    answer = service.client.post(
        "/v1/protect?already_protected=pass&sizes=20", content=MARKED["webp"]
    )
    assert_problem(answer, "already_protected")
    assert_problem(service.upload(params={"already_protected": "no"}), "invalid_option")


@pytest.mark.parametrize("choice", ["refuse", "pass"])
def test_in_an_archive_it_is_told_apart(service: Service, choice: str) -> None:
    batch = made(service, options={"already_protected": choice})
    archive = zipped({"own.webp": MARKED["webp"], "new.png": picture()})
    told = {line["file"]: line for line in lines(send_zip(service, batch, archive))[:-1]}
    assert "id" in told["new.png"]
    if choice == "refuse":
        assert told["own.webp"]["problem"]["code"] == "already_protected"
    else:
        assert work(service) == 2
        assert (
            service.client.get(f"/v1/images/{told['own.webp']['id']}/content").content
            == (MARKED["webp"])
        )


def test_a_fetched_one_fails_and_an_upload_is_refused(make_service: ServiceFactory) -> None:
    service = make_service(**WEB)
    with site(own_webp=MARKED["webp"]) as web:
        batch = made(service)
        send(service, batch, [{"url": f"{web.url}/own.webp"}])
        assert arrived(service, batch) == {"failed": 1}
        assert codes(service, batch) == {"own.webp": "already_protected"}
    data = MARKED["jpeg"]
    headers = {**TUS, "Upload-Length": str(len(data)), "Content-Type": PART}
    upload = service.client.post("/v1/uploads", content=data, headers=headers)
    upload_id = upload.headers["Location"].rpartition("/")[2]
    asked: dict[str, Any] = {"upload": upload_id}
    assert_problem(service.client.post("/v1/images", json=asked), "already_protected")
    taken = service.client.post("/v1/images", json={**asked, "already_protected": "pass"})
    assert taken.status_code == 202, json.dumps(taken.json())
