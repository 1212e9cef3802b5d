"""Upload tokens: what a page may do with one, and all that it may not."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from photoward.core import api_keys
from photoward.core.api_keys import TENANT_SCOPES
from photoward.core.jobs import new_id
from tests.api.http.service import PEPPER, picture, serving, work
from tests.api.http.test_access import key, operations
from tests.api.http.test_refusals import assert_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from photoward.core.api_keys import NewApiKey
    from tests.api.http.service import Service

PERMITTED = {
    "createImage", "getImage", "getImageContent", "getImagePreview", "watchImage",
    "createUpload", "getUploadOffset", "continueUpload", "putUpload", "deleteUpload",
}  # fmt: skip
TUS = {"Tus-Resumable": "1.0.0"}
PART = {**TUS, "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("closed"), http_require_keys=True) as made:
        yield made


@pytest.fixture
def owner(closed: Service) -> NewApiKey:
    return key(closed, "alice", TENANT_SCOPES)


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def minted(service: Service, owner: NewApiKey, **wanted: int) -> dict[str, str]:
    """The headers of a request with a new token."""
    answer = service.client.post("/v1/upload-tokens", json=wanted, headers=bearer(owner.text))
    assert answer.status_code == 201, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return bearer(answer.json()["token"])


def begun(service: Service, headers: dict[str, str], photo: bytes) -> httpx.Response:
    wanted = {**headers, **TUS, "Upload-Length": str(len(photo))}
    return service.client.post("/v1/uploads", headers=wanted)


def test_a_page_submits_and_reads_what_it_submitted(closed: Service, owner: NewApiKey) -> None:
    page = minted(closed, owner)
    answer = closed.upload(headers=page, params={"reference": "post-1"})
    assert answer.status_code == 202
    here = answer.headers["Location"]
    while work(closed):
        """Until it is done."""
    assert closed.client.get(here, headers=page).json()["state"] == "succeeded"
    assert closed.client.get(f"{here}/content", headers=page).status_code == 200
    assert closed.client.get(f"{here}/events", headers=page).status_code == 200
    assert closed.client.get(here, headers=bearer(owner.text)).json()["reference"] == "post-1"


def test_a_page_uploads_by_tus(closed: Service, owner: NewApiKey) -> None:
    page, photo = minted(closed, owner), picture()
    place = begun(closed, page, photo).headers["Location"]
    sent = closed.client.patch(place, content=photo, headers={**page, **PART})
    assert sent.status_code == 204
    body = {"upload": place.rpartition("/")[2]}
    answer = closed.client.post("/v1/images", json=body, headers=page)
    assert answer.status_code == 202, answer.text
    assert closed.client.get(answer.headers["Location"], headers=page).status_code == 200


def test_all_else_is_forbidden(closed: Service, owner: NewApiKey) -> None:
    page = minted(closed, owner)
    names = {"code": "not_found", "delivery_id": f"msg_{24 * '0'}", "key_id": "0" * 16}
    names |= {"webhook_id": "0" * 16, "batch_id": new_id(), "image_id": new_id(), "mark": new_id()}
    for name, (method, path) in operations(closed).items():
        if name in PERMITTED:
            continue
        anonymous = closed.client.request(method, path.format(**names, upload_id=new_id()))
        answer = closed.client.request(method, path.format(**names, upload_id=""), headers=page)
        if anonymous.status_code == 401:
            assert_problem(answer, "forbidden")


def test_what_others_submitted_is_not_there(closed: Service, owner: NewApiKey) -> None:
    page, other = minted(closed, owner), minted(closed, owner)
    photo = picture()
    for headers in (other, bearer(owner.text)):
        here = closed.upload(headers=headers).headers["Location"]
        for path in (here, f"{here}/content", f"{here}/events"):
            assert_problem(closed.client.get(path, headers=page), "not_found")
    upload = begun(closed, bearer(owner.text), photo).headers["Location"]
    assert closed.client.head(upload, headers={**page, **TUS}).status_code == 404
    refused = closed.client.patch(upload, content=photo, headers={**page, **PART})
    assert_problem(refused, "not_found")
    body = {"upload": upload.rpartition("/")[2]}
    assert_problem(closed.client.post("/v1/images", json=body, headers=page), "not_found")


def test_two_pages_may_use_the_same_idempotency_key(closed: Service, owner: NewApiKey) -> None:
    ids = set()
    for _ in range(2):
        page = minted(closed, owner) | {"Idempotency-Key": "photo 1"}
        first, again = closed.upload(headers=page), closed.upload(headers=page)
        assert first.json()["id"] == again.json()["id"]
        ids.add(first.json()["id"])
    assert len(ids) == 2


@pytest.mark.parametrize("way", ["post", "tus"])
def test_it_is_used_up_by_images(way: str, closed: Service, owner: NewApiKey) -> None:
    page, kept = minted(closed, owner, max_images=2), len(closed.kept())

    def submit() -> httpx.Response:
        return closed.upload(headers=page) if way == "post" else begun(closed, page, picture())

    assert submit().is_success
    assert submit().is_success
    assert_problem(submit(), "token_used_up")
    assert len(closed.kept()) - kept == (2 if way == "post" else 0)


@pytest.mark.parametrize("way", ["post", "tus"])
def test_it_is_used_up_by_bytes(way: str, closed: Service, owner: NewApiKey) -> None:
    photo = picture()
    page = minted(closed, owner, max_images=9, max_bytes=2 * len(photo) - 1)
    for code in (None, "token_used_up"):
        answer = closed.upload(photo, headers=page) if way == "post" else begun(closed, page, photo)
        if code is None:
            assert answer.is_success
        else:
            assert_problem(answer, code)


def test_a_refused_photo_costs_nothing(closed: Service, owner: NewApiKey) -> None:
    page = minted(closed, owner)
    assert_problem(closed.upload(b"no photo at all", headers=page), "not_an_image")
    assert closed.upload(headers=page).status_code == 202


def test_a_page_joins_no_batch(closed: Service, owner: NewApiKey) -> None:
    page = minted(closed, owner)
    batch = closed.ledger.batches.add(new_id(), "alice", "", {}).id
    assert_problem(closed.upload(headers=page, params={"batch": batch}), "forbidden")
    file = {"file": ("a.png", picture(), "image/png")}
    answer = closed.client.post("/v1/images", headers=page, files=file, data={"batch": batch})
    assert_problem(answer, "forbidden")


@pytest.mark.parametrize(
    "body", [{"url": "https://a.example/a.png"}, {"key": "inbox/a.png"}], ids=["url", "key"]
)
def test_a_page_has_nothing_fetched(
    body: dict[str, str], closed: Service, owner: NewApiKey
) -> None:
    answer = closed.client.post("/v1/images", json=body, headers=minted(closed, owner))
    assert_problem(answer, "forbidden")


def test_a_page_sends_no_messages(closed: Service, owner: NewApiKey) -> None:
    wanted = {"callback_url": "https://a.example/hook"}
    assert_problem(closed.upload(headers=minted(closed, owner), params=wanted), "forbidden")


def test_it_ends_with_its_time_its_key_and_its_tenant(closed: Service) -> None:
    over = api_keys.generate_token(PEPPER)
    closed.ledger.upload_tokens.add(
        over, "alice", key_id=None, lifetime=timedelta(0), max_images=1, max_bytes=10**9
    )
    assert_problem(closed.upload(headers=bearer(over.text)), "unauthenticated")
    revoked = key(closed, "alice", TENANT_SCOPES)
    page = minted(closed, revoked)
    closed.ledger.api_keys.revoke("alice", revoked.id, timedelta(0))
    assert_problem(closed.upload(headers=page), "unauthenticated")
    page = minted(closed, key(closed, "leaving", TENANT_SCOPES))
    closed.ledger.tenants.erase("leaving")
    assert_problem(closed.upload(headers=page), "unauthenticated")
    assert closed.ledger.upload_tokens.prune() >= 1


@pytest.mark.parametrize("text", ["pwu_", f"pwu_{16 * '0'}_{43 * 'A'}", f"pwu_{16 * 'g'}_x"])
def test_what_is_no_token_opens_nothing(text: str, closed: Service) -> None:
    assert_problem(closed.upload(headers=bearer(text)), "unauthenticated")


def test_a_key_does_not_pass_as_a_token_nor_a_token_as_a_key(
    closed: Service, owner: NewApiKey
) -> None:
    token = minted(closed, owner)["Authorization"]
    for text in (token.replace("pwu_", "pw_"), bearer(owner.text)["Authorization"][:-1] + "="):
        assert_problem(closed.upload(headers={"Authorization": text}), "unauthenticated")
    as_token = owner.text.replace("pw_", "pwu_", 1)
    assert_problem(closed.upload(headers=bearer(as_token)), "unauthenticated")


@pytest.mark.parametrize(
    "wanted",
    [{"expires_in_seconds": 59}, {"expires_in_seconds": 86_401}, {"max_images": 0},
     {"max_images": 1001}, {"max_bytes": 0}, {"max_bytes": "9"}, {"tenant": "bob"}],
)  # fmt: skip
def test_a_token_that_cannot_be_is_refused(
    wanted: dict[str, Any], closed: Service, owner: NewApiKey
) -> None:
    answer = closed.client.post("/v1/upload-tokens", json=wanted, headers=bearer(owner.text))
    assert_problem(answer, "invalid_option")


def test_a_service_without_keys_gives_tokens_too(service: Service) -> None:
    made = service.client.post("/v1/upload-tokens", json={}).json()
    page = bearer(made["token"])
    here = service.upload(headers=page).headers["Location"]
    assert service.client.get(here, headers=page).status_code == 200
    assert_problem(service.client.get("/v1/images", headers=page), "forbidden")


def test_a_key_reads_of_itself(closed: Service, service: Service) -> None:
    own = key(closed, "alice", frozenset({api_keys.Scope.WRITE}), timedelta(hours=1))
    told = closed.client.get("/v1/keys/self", headers=bearer(own.text)).json()
    assert (told["id"], told["tenant"], told["scopes"]) == (own.id, "alice", ["write"])
    assert told["expires_at"] is not None
    assert own.text not in str(told)
    anonymous = service.client.get("/v1/keys/self").json()
    assert (anonymous["id"], anonymous["tenant"]) == (None, "default")
    assert set(anonymous["scopes"]) == TENANT_SCOPES
