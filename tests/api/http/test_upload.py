from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Any

import pytest

from photoward.core.errors import Unavailable
from photoward.core.ledger import open_ledger
from photoward.core.object_keys import original_key
from tests.api.http.service import Recorded, picture, work, working

if TYPE_CHECKING:
    from tests.api.http.conftest import ServiceFactory
    from tests.api.http.service import Service


def test_a_raw_photo_is_stored_and_queued(service: Service) -> None:
    photo = picture()
    answer = service.upload(photo, params={"label": "my cat", "epsilon": "2.5"})
    item = answer.json()
    assert answer.status_code == 202
    assert answer.headers["Location"] == item["links"]["self"] == f"/v1/images/{item['id']}"
    assert answer.headers["Retry-After"] == "1"
    assert item["state"] == "queued"
    assert item["options"]["label"] == "my cat"
    assert (item["options"]["epsilon"], item["options"]["preset"]) == (2.5, None)
    assert item["source"] == {
        "sha256": hashlib.sha256(photo).hexdigest(), "size": len(photo), "width": 40,
        "height": 30, "media_type": "image/png", "filename": None, "protected": False,
    }  # fmt: skip
    assert service.store.get(original_key("default", item["id"])) == photo
    assert service.client.get(answer.headers["Location"]).json()["id"] == item["id"]


@pytest.mark.parametrize("file_first", [True, False])
def test_a_form_takes_file_and_options_in_any_order(service: Service, file_first: bool) -> None:  # noqa: FBT001
    photo = picture("JPEG")
    parts: list[tuple[str, Any]] = [
        ("file", ("holiday ☀.jpg", photo, "image/jpeg")),
        ("label", (None, "Straße")), ("preset", (None, "subtle")),
        ("output_format", (None, "png")),
    ]  # fmt: skip
    answer = service.client.post("/v1/images", files=parts if file_first else parts[::-1])
    item = answer.json()
    assert answer.status_code == 202
    assert (
        item["options"] | {"label": "Straße", "preset": "subtle", "output_format": "png"}
        == (item["options"])
    )
    assert item["source"]["filename"] == "holiday ☀.jpg"
    assert service.store.get(original_key("default", item["id"])) == photo


def test_a_method_without_a_strength_says_so(service: Service) -> None:
    parts: list[tuple[str, Any]] = [
        ("target", (None, "filter")), ("method", (None, "cuda")),
        ("file", ("a.png", picture(), "image/png")),
    ]  # fmt: skip
    options = service.client.post("/v1/images", files=parts).json()["options"]
    assert (options["method"], options["target"]) == ("cuda", "filter")
    assert options["epsilon"] is options["preset"] is None


@pytest.mark.parametrize(
    "declared", ["image/png", "IMAGE/PNG; x=1", "application/octet-stream", "image/x-png", None]
)
def test_the_type_may_be_told_in_several_ways(service: Service, declared: str | None) -> None:
    headers = {"Content-Type": declared} if declared else {}
    answer = service.client.post("/v1/images", content=picture(), headers=headers)
    assert answer.status_code == 202


def test_a_raw_photo_is_named_by_content_disposition(service: Service) -> None:
    headers = {
        "Content-Disposition": "attachment; filename=\"a.png\"; filename*=UTF-8''%2Fx%2F%C3%A4.png"
    }
    assert service.upload(headers=headers).json()["source"]["filename"] == "ä.png"


def test_orientation_is_seen_in_the_displayed_size(service: Service) -> None:
    from PIL import Image  # noqa: PLC0415  # only here

    exif = Image.Exif()
    exif[0x0112] = 6
    answer = service.upload(picture("JPEG", exif=exif), headers={"Content-Type": "image/jpeg"})
    assert (answer.json()["source"]["width"], answer.json()["source"]["height"]) == (30, 40)


def test_the_hint_follows_the_ledger(make_service: ServiceFactory) -> None:
    seen: list[bool] = []

    class Looking(Recorded):
        def send(self, item_id: str) -> bool:
            ledger = open_ledger(service.settings)
            seen.append(ledger.items.get("default", item_id).id == item_id)
            ledger.close()
            return super().send(item_id)

    wake_ups = Looking()
    service = make_service(wake_ups=wake_ups)
    item_id = service.upload().json()["id"]
    _until(lambda: wake_ups.items == [item_id])
    assert seen == [True]


@pytest.mark.parametrize("wake_ups", [Recorded(delay_s=5), Recorded(up=False)])
def test_a_slow_or_dead_broker_is_not_waited_for(
    make_service: ServiceFactory, wake_ups: Recorded
) -> None:
    service = make_service(wake_ups=wake_ups)
    started = time.monotonic()
    assert [service.upload().status_code for _ in range(4)] == [202] * 4
    assert time.monotonic() - started < 5


def test_waiting_gives_the_finished_photo(make_service: ServiceFactory) -> None:
    service = make_service()
    with working(service):
        answer = service.upload(headers={"Prefer": "respond-async, wait=20"})
    item = answer.json()
    assert (answer.status_code, item["state"]) == (200, "succeeded")
    assert answer.headers["Preference-Applied"] == "wait=20"
    assert item["output"]["size"] > 0
    assert item["measured"]["ssim"] == 0.987
    assert (item["label_used"], item["label_source"]) == ("cat", "predicted")
    assert item["progress"]["fraction"] == 1.0
    assert service.client.get(item["links"]["content"]).status_code == 200


def test_waiting_tells_of_a_failure(make_service: ServiceFactory) -> None:
    service = make_service()
    with working(service):
        answer = service.upload(picture()[:-60], headers={"Prefer": "wait=20"})
    item = answer.json()
    assert (answer.status_code, item["state"], item["output"]) == (200, "failed", None)
    assert item["error"]["code"] == "corrupt"
    assert item["error"]["remedy"]
    assert service.client.get(item["links"]["self"]).json() == item


def test_waiting_ends_when_the_time_is_up(make_service: ServiceFactory) -> None:
    service = make_service(http_max_wait_seconds=1)
    started = time.monotonic()
    answer = service.upload(headers={"Prefer": "wait=40"})
    assert 0.9 < time.monotonic() - started < 3
    assert answer.status_code == 202
    assert "Preference-Applied" not in answer.headers


@pytest.mark.parametrize("preference", ["wait=soon", "wait", "wait=-1", "wait=1.5", "=;,", '"'])
def test_a_malformed_preference_is_ignored(service: Service, preference: str) -> None:
    started = time.monotonic()
    assert service.upload(headers={"Prefer": preference}).status_code == 202
    assert time.monotonic() - started < 0.9


def test_the_place_in_the_queue_is_shown(make_service: ServiceFactory) -> None:
    service = make_service()
    places = [service.upload().headers["Location"] for _ in range(3)]
    shown = [service.client.get(place).json()["progress"]["position"] for place in places]
    assert shown == [0, 1, 2]


def test_a_full_queue_refuses_before_the_body(make_service: ServiceFactory) -> None:
    service = make_service(queue_max_items=1)
    assert service.upload().status_code == 202
    time.sleep(0.6)  # the depth is remembered for half a second
    answer = service.upload(b"this would be 415")
    assert (answer.status_code, answer.json()["code"]) == (429, "queue_full")
    assert int(answer.headers["Retry-After"]) > 0
    assert work(service) == 1
    time.sleep(0.6)
    assert service.upload().status_code == 202


def test_too_many_waiting_megapixels_refuse(make_service: ServiceFactory) -> None:
    service = make_service(queue_max_megapixels=0.01)
    assert service.upload(picture(size=(200, 200))).status_code == 202
    time.sleep(0.6)
    assert service.upload().json()["code"] == "queue_full"


def test_who_has_a_quota_is_told_what_is_left(make_service: ServiceFactory) -> None:
    service = make_service()
    assert "RateLimit" not in service.upload().headers
    service.ledger.tenants.set_quota("default", 50)
    headers = service.upload(picture(size=(2000, 1000))).headers
    assert headers["RateLimit-Policy"] == '"megapixels";q=50;w=86400'
    assert headers["RateLimit"] == '"megapixels";r=47'


def test_beyond_the_quota_nothing_is_taken_or_kept(make_service: ServiceFactory) -> None:
    service = make_service()
    service.ledger.tenants.set_quota("default", 0.002)
    assert service.upload().status_code == 202
    answer = service.upload()
    assert (answer.status_code, answer.json()["code"]) == (429, "over_quota")
    assert len(service.kept()) == 1
    used = service.client.get("/v1/usage").json()
    assert used == {"megapixels": 0.001, "quota_megapixels": 0.002}


def test_a_ledger_that_fails_leaves_the_original_for_the_reconciler(
    make_service: ServiceFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make_service()

    def fail(*_given: object, **_more: object) -> None:
        raise Unavailable("The ledger is away.")

    monkeypatch.setattr(service.ledger.items, "add", fail)
    answer = service.upload()
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["Retry-After"]
    assert len(service.kept()) == 1, "its row may be there: only the answer may be lost"


def test_a_full_store_is_not_the_callers_fault(
    make_service: ServiceFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make_service()

    def fail(*_given: object, **_named: object) -> bool:
        raise Unavailable("No room.", "storage_full")

    monkeypatch.setattr(service.store, "put", fail)
    answer = service.upload()
    assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")
    assert service.ledger.items.count_by_state() == {}


def test_uploads_leave_room_on_the_disk(make_service: ServiceFactory) -> None:
    service = make_service(upload_min_free_bytes=1 << 62)
    answer = service.upload()
    assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")
    begun = service.client.post("/v1/uploads", json={"bytes": 3}).json()
    sent = service.client.put(begun["url"], content=b"abc", headers=begun["headers"])
    assert (sent.status_code, sent.json()["code"]) == (507, "storage_full")
    assert service.kept() == []
    assert service.ledger.items.count_by_state() == {}


def test_a_missing_default_surrogate_is_not_the_callers_fault(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.app.state.services.catalogue, "default_surrogate", "gone")
    assert service.upload().json()["code"] == "unavailable"
    assert service.upload(params={"surrogate": "test"}).status_code == 202
    assert service.upload(params={"surrogate": "gone"}).json()["code"] == "unknown_surrogate"


def _until(true: Any) -> None:  # noqa: ANN401
    deadline = time.monotonic() + 5
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert true()
