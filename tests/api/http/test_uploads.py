"""Photos that are brought in before they are used: by tus, in one piece, into the store itself."""

from __future__ import annotations

import base64
import hashlib
import secrets
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy import update

from photoward.core.errors import Unavailable
from photoward.core.jobs import State, new_id
from photoward.core.ledger.tables import uploads
from photoward.core.object_keys import original_key, upload_key
from photoward.core.uploads import DIRECT
from tests.api.http.service import picture, serving, work
from tests.api.http.test_refusals import assert_problem
from tests.api.http.test_streaming import Wire
from tests.support.samples import noisy_png
from tests.support.servers import S3_BUCKET, S3_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.api.http.conftest import ServiceFactory
    from tests.api.http.service import Service

TUS = {"Tus-Resumable": "1.0.0"}
PART = "application/offset+octet-stream"
PHOTO = picture()


@pytest.fixture(params=["folder", "s3"])
def service(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    more = {}
    if request.param == "s3":
        endpoint = request.getfixturevalue("s3_endpoint")
        for name, value in {**S3_KEYS, "AWS_ENDPOINT_URL": endpoint}.items():
            monkeypatch.setenv(name, value)
        place = f"s3://{S3_BUCKET}/{secrets.token_hex(8)}"
        more = {"storage_url": place, "storage_public_url": endpoint}
    with serving(tmp_path, **more) as made:
        yield made


def encoded(**told: str) -> str:
    return ",".join(f"{key} {base64.b64encode(one.encode()).decode()}" for key, one in told.items())


def create(service: Service, length: int, data: bytes = b"", **headers: str) -> httpx.Response:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    kind = {"Content-Type": PART} if data else {}
    sent = {**TUS, "Upload-Length": str(length), **kind, **told}
    return service.client.post("/v1/uploads", content=data, headers=sent)


def begun(service: Service, length: int = len(PHOTO), **headers: str) -> str:
    answer = create(service, length, b"", **headers)
    assert answer.status_code == 201, answer.text
    return str(answer.headers["Location"])


def go_on(
    service: Service, place: str, data: bytes, offset: int = 0, **headers: str
) -> httpx.Response:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {**TUS, "Content-Type": PART, "Upload-Offset": str(offset), **told}
    return service.client.patch(place, content=data, headers=sent)


def offset(service: Service, place: str) -> int:
    answer = service.client.head(place, headers=TUS)
    assert answer.status_code == 200
    return int(answer.headers["Upload-Offset"])


def brought(service: Service, data: bytes = PHOTO, **headers: str) -> str:
    """The id of a complete upload."""
    answer = create(service, len(data), data, **headers)
    assert answer.status_code == 201, answer.text
    return id_of(answer.headers["Location"])


def id_of(place: str) -> str:
    return place.rpartition("/")[2]


def use(service: Service, upload: str, **options: Any) -> httpx.Response:  # noqa: ANN401  # JSON
    return service.client.post("/v1/images", json={"upload": upload, **options})


def ready(service: Service, upload: str) -> Any:  # noqa: ANN401  # JSON
    answer = use(service, upload)
    assert answer.status_code == 202, answer.text
    return answer.json()


def test_what_is_spoken_is_told(service: Service) -> None:
    answer = service.client.options("/v1/uploads")
    assert answer.status_code == 204
    assert answer.headers["Tus-Resumable"] == answer.headers["Tus-Version"] == "1.0.0"
    assert answer.headers["Tus-Max-Size"] == str(service.settings.upload_max_bytes)
    assert answer.headers["Tus-Checksum-Algorithm"] == "sha1,sha256"
    assert "creation-with-upload" in answer.headers["Tus-Extension"].split(",")


def test_an_upload_in_parts_becomes_a_photo(service: Service) -> None:
    place = begun(service, Upload_Metadata=encoded(filename="a/ü.png", filetype="image/png"))
    for start in range(0, len(PHOTO), 50):
        answer = go_on(service, place, PHOTO[start : start + 50], start)
        assert answer.status_code == 204
        assert int(answer.headers["Upload-Offset"]) == min(start + 50, len(PHOTO))
        assert answer.headers["Tus-Resumable"] == "1.0.0"
        assert service.ledger.items.count_by_state() == {}
    answer = use(service, id_of(place), label="my cat", epsilon=2.5)
    item = answer.json()
    assert answer.status_code == 202, item
    assert answer.headers["Location"] == f"/v1/images/{item['id']}"
    assert (item["options"]["label"], item["options"]["epsilon"]) == ("my cat", 2.5)
    assert item["source"] == {
        "sha256": hashlib.sha256(PHOTO).hexdigest(), "size": len(PHOTO), "width": 40,
        "height": 30, "media_type": "image/png", "filename": "ü.png",
        "protected": False,
    }  # fmt: skip
    assert service.kept() == [original_key("default", item["id"])]
    assert service.store.get(service.kept()[0]) == PHOTO
    assert work(service) == 1
    assert service.client.get(answer.headers["Location"]).json()["state"] == "succeeded"


def test_how_it_stands_is_told(service: Service) -> None:
    metadata = encoded(filename="a.png") + ",is_private"
    place = begun(service, Upload_Metadata=metadata)
    go_on(service, place, PHOTO[:7])
    answer = service.client.head(place, headers=TUS)
    assert answer.headers["Upload-Offset"] == "7"
    assert answer.headers["Upload-Length"] == str(len(PHOTO))
    assert answer.headers["Upload-Metadata"] == metadata
    assert answer.headers["Cache-Control"] == "no-store"
    left = parsedate_to_datetime(answer.headers["Upload-Expires"]) - datetime.now(UTC)
    assert timedelta(hours=23) < left < timedelta(hours=25)


def test_the_first_part_may_come_with_the_creation(service: Service) -> None:
    answer = create(service, len(PHOTO), PHOTO[:100])
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, "100")
    place = answer.headers["Location"]
    assert go_on(service, place, PHOTO[100:], 100).status_code == 204
    assert ready(service, id_of(place))["state"] == "queued"


@pytest.mark.parametrize("at", [0, 6, 8, 10_000])
def test_a_part_from_elsewhere_is_refused_and_told_where(service: Service, at: int) -> None:
    place = begun(service)
    go_on(service, place, PHOTO[:7])
    assert_problem(go_on(service, place, b"x", at), "offset_differs")
    assert offset(service, place) == 7
    assert len(service.kept()) == 1


def test_of_two_that_send_the_same_part_one_is_counted(service: Service) -> None:
    """And nothing of the other stays."""
    place = begun(service)
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: go_on(service, place, PHOTO), range(6)))
    assert sorted(one.status_code for one in answers) == [204, *[409] * 5]
    assert len(service.kept()) == 1
    assert ready(service, id_of(place))["source"]["size"] == len(PHOTO)


def test_what_came_before_the_line_broke_is_kept(service: Service) -> None:
    photo = noisy_png(1, 300)
    place = begun(service, len(photo))
    half = len(photo) // 2
    with closing(sending(service, place, f"Content-Length: {len(photo)}")) as wire:
        wire.sendall(photo[:half])
        time.sleep(0.2)  # it has arrived before the line breaks
    until(lambda: offset(service, place) == half)
    assert go_on(service, place, photo[half:], half).status_code == 204
    item = ready(service, id_of(place))
    assert item["source"]["sha256"] == hashlib.sha256(photo).hexdigest()


@pytest.mark.parametrize(
    "header", ["Upload-Checksum: sha256 AA==", "Content-Digest: sha-256=:AA==:"]
)
def test_what_can_only_be_trusted_whole_is_not_kept_in_part(service: Service, header: str) -> None:
    place = begun(service)
    with closing(sending(service, place, f"Content-Length: {len(PHOTO)}", header)) as wire:
        wire.sendall(PHOTO[:50])
        time.sleep(0.1)
    time.sleep(0.2)  # so that it could have been written down
    assert offset(service, place) == 0
    assert service.kept() == []


def test_a_sender_that_falls_asleep_has_not_sent_in_vain(make_service: ServiceFactory) -> None:
    service = make_service(http_body_timeout_seconds=0.3)
    place = begun(service)
    wire = Wire(service)
    with closing(wire.socket):
        wire.socket.sendall(head(place, f"Content-Length: {len(PHOTO)}") + PHOTO[:50])
        assert wire.answer() == (408, "too_slow")
    assert offset(service, place) == 50


def head(place: str, *headers: str, at: int = 0) -> bytes:
    lines = [
        f"PATCH {place} HTTP/1.1", "Host: localhost", "Tus-Resumable: 1.0.0",
        f"Upload-Offset: {at}",
        f"Content-Type: {PART}", *headers, "", "",
    ]  # fmt: skip
    return "\r\n".join(lines).encode()


def sending(service: Service, place: str, *headers: str, at: int = 0) -> socket.socket:
    made = socket.create_connection(service.address(), timeout=20)
    made.sendall(head(place, *headers, at=at))
    return made


def until(true: Any) -> None:  # noqa: ANN401  # a condition
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("name", ["sha1", "sha256"])
def test_a_part_is_compared_with_its_checksum(service: Service, name: str) -> None:
    place = begun(service)

    def checksum(data: bytes) -> str:
        return f"{name} {base64.b64encode(hashlib.new(name, data).digest()).decode()}"

    answer = go_on(service, place, PHOTO[:50], Upload_Checksum=checksum(b"x"))
    assert_problem(answer, "checksum_differs")
    assert answer.status_code == 460
    assert (offset(service, place), service.kept()) == (0, [])
    answer = go_on(service, place, PHOTO[:50], Upload_Checksum=checksum(PHOTO[:50]))
    assert (answer.status_code, offset(service, place)) == (204, 50)
    answer = create(service, 50, PHOTO[:50], Upload_Checksum=checksum(b"x"))
    assert_problem(answer, "checksum_differs")
    assert len(service.kept()) == 1, "an upload that nobody knows the address of is gone"


@pytest.mark.parametrize(
    ("checksum", "code"),
    [("md5 AAAA", "malformed_request"), ("sha1 !", "malformed_request"),
     ("sha256 A", "malformed_request"), ("", "malformed_request"), ("sha1 ü", "malformed_request"),
     ("sha1", "checksum_differs"), ("sha1 AAAA", "checksum_differs")],
)  # fmt: skip
def test_a_checksum_that_cannot_be_right_is_refused(
    service: Service, checksum: str, code: str
) -> None:
    place = begun(service)
    headers = {**TUS, "Content-Type": PART, "Upload-Offset": "0"}
    raw = [*((name.encode(), value.encode()) for name, value in headers.items()),
           (b"Upload-Checksum", checksum.encode())]  # fmt: skip
    answer = service.client.patch(place, content=PHOTO, headers=raw)
    assert_problem(answer, code)
    assert offset(service, place) == 0


@pytest.mark.parametrize("method", ["HEAD", "PATCH", "DELETE", "POST"])
@pytest.mark.parametrize("version", ["0.2.2", "", None])
def test_another_version_is_refused_and_told_ours(
    service: Service, method: str, version: str | None
) -> None:
    place = "/v1/uploads" if method == "POST" else begun(service)
    headers = {} if version is None else {"Tus-Resumable": version}
    answer = service.client.request(method, place, headers=headers)
    if method == "DELETE" and version is None:  # who brought it in one piece speaks no tus
        assert answer.status_code == 204
        return
    assert answer.status_code == 412
    assert answer.headers["Tus-Version"] == answer.headers["Tus-Resumable"] == "1.0.0"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Upload-Length": "-1"}, "invalid_option"), ({"Upload-Length": "x"}, "invalid_option"),
        ({"Upload-Length": "9" * 40}, "invalid_option"), ({}, "invalid_option"),
        ({"Upload-Defer-Length": "1"}, "invalid_option"),
        ({"Upload-Length": str(25 * 2**20 + 1)}, "body_too_large"),
        ({"Upload-Length": "9", "Upload-Metadata": "filename !"}, "invalid_option"),
        ({"Upload-Length": "9", "Upload-Metadata": "a YQ==,a YQ=="}, "invalid_option"),
        ({"Upload-Length": "9", "Upload-Metadata": "a A"}, "malformed_request"),
        ({"Upload-Length": "9", "Upload-Metadata": "a " + "A" * 5000}, "invalid_option"),
        ({"Upload-Length": "9", "Upload-Metadata": encoded(filetype="text/html")},
         "unsupported_content_type"),
        ({"Upload-Length": "9", "Upload-Metadata": encoded(content_digest="x")},
         "malformed_request"),
    ],
)  # fmt: skip
def test_an_upload_that_cannot_be_is_refused(
    service: Service, headers: dict[str, str], code: str
) -> None:
    answer = service.client.post("/v1/uploads", headers={**TUS, **headers})
    assert_problem(answer, code)
    assert answer.headers["Tus-Resumable"] == "1.0.0"


def test_a_part_that_cannot_be_is_refused(service: Service) -> None:
    place = begun(service)
    assert_problem(go_on(service, place, PHOTO + b"x"), "body_too_large")
    assert_problem(go_on(service, place, b"x", -1), "invalid_option")
    for header in ({"Content_Type": "image/png"}, {"Content_Encoding": "gzip"}):
        assert_problem(go_on(service, place, b"x", 0, **header), "unsupported_content_type")
    without = service.client.patch(place, content=b"x", headers={**TUS, "Content-Type": PART})
    assert_problem(without, "invalid_option")
    assert_problem(go_on(service, f"/v1/uploads/{new_id()}", b"x"), "not_found")
    assert_problem(go_on(service, "/v1/uploads/x", b"x"), "not_found")
    assert (offset(service, place), service.kept()) == (0, [])
    assert go_on(service, place, b"").status_code == 204, "nothing is a part, too"


def test_a_body_whose_length_nobody_told_is_counted(service: Service) -> None:
    place = begun(service)
    headers = {**TUS, "Content-Type": PART, "Upload-Offset": "0"}
    long = service.client.patch(place, content=iter([PHOTO, b"x"]), headers=headers)
    assert_problem(long, "body_too_large")
    assert service.client.patch(place, content=iter([PHOTO]), headers=headers).status_code == 204
    assert offset(service, place) == len(PHOTO)


def test_a_deleted_upload_is_gone(service: Service) -> None:
    place = begun(service)
    go_on(service, place, PHOTO[:50])
    assert service.client.delete(place, headers=TUS).status_code == 204
    assert service.kept() == []
    assert service.client.head(place, headers=TUS).status_code == 404
    assert_problem(service.client.delete(place, headers=TUS), "not_found")
    assert_problem(use(service, id_of(place)), "not_found")


def test_an_expired_upload_is_gone(service: Service) -> None:
    upload = brought(service)
    with service.ledger._engine.begin() as connection:
        connection.execute(update(uploads).values(expires_at=datetime.now(UTC)))
    assert service.client.head(f"/v1/uploads/{upload}", headers=TUS).status_code == 404
    assert_problem(use(service, upload), "not_found")
    assert service.ledger.items.count_by_state() == {}


def test_a_tenant_has_only_so_many(make_service: ServiceFactory) -> None:
    service = make_service(upload_max_pending=2, upload_max_pending_bytes=1000)
    first = begun(service, 900)
    answer = create(service, 101)
    assert_problem(answer, "too_many_uploads")
    assert int(answer.headers["Retry-After"]) > 0
    begun(service, 100)
    assert_problem(create(service, 0), "too_many_uploads")
    service.client.delete(first, headers=TUS)
    begun(service, 0)


def test_an_upload_named_twice_is_one_photo(service: Service) -> None:
    upload = brought(service)
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: use(service, upload, label="cat"), range(4)))
    assert {one.status_code for one in answers} == {202}
    assert len({one.json()["id"] for one in answers}) == 1
    assert service.ledger.items.count_by_state() == {State.QUEUED: 1}
    assert len(service.kept()) == 1
    work(service)
    assert use(service, upload, label="cat").json()["state"] == "succeeded"
    assert_problem(use(service, upload, label="dog"), "upload_used")
    assert_problem(go_on(service, f"/v1/uploads/{upload}", b"", len(PHOTO)), "upload_used")


def test_of_a_photo_that_was_removed_no_other_is_made(service: Service) -> None:
    upload = brought(service)
    item = ready(service, upload)
    service.client.delete(item["links"]["self"])
    assert_problem(use(service, upload), "upload_used")
    assert service.kept() == []


def test_a_deleted_upload_leaves_its_photo(service: Service) -> None:
    upload = brought(service)
    item = ready(service, upload)
    assert service.client.delete(f"/v1/uploads/{upload}").status_code == 204
    assert service.client.get(item["links"]["self"]).json()["state"] == "queued"


def test_what_is_no_photo_is_refused_when_it_is_used(service: Service) -> None:
    for data, code in (
        (b"", "empty_body"), (b"GIF87a?", "truncated"), (b"hello" * 9, "not_an_image"),
    ):  # fmt: skip
        upload = id_of(begun(service, len(data)))
        go_on(service, f"/v1/uploads/{upload}", data)
        assert_problem(use(service, upload), code)
    jpeg = brought(service, Upload_Metadata=encoded(filetype="image/jpeg"))
    assert_problem(use(service, jpeg), "content_type_mismatch")
    assert service.ledger.items.count_by_state() == {}


def test_an_upload_that_is_not_complete_cannot_be_used(service: Service) -> None:
    place = begun(service)
    assert_problem(use(service, id_of(place)), "upload_incomplete")
    go_on(service, place, PHOTO[:-1])
    answer = use(service, id_of(place))
    assert_problem(answer, "upload_incomplete")
    assert str(len(PHOTO) - 1) in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "malformed_request"), (b"{", "malformed_request"), (b"[]", "malformed_request"),
        (b"\xff", "malformed_request"), (b"[" * 9000, "malformed_request"),
        (b"{}", "invalid_option"), (b'{"upload": 1}', "invalid_option"),
        (b'{"upload": "x", "colour": 1}', "invalid_option"),
        (b'{"upload": "x"}', "not_found"), (b'{"upload": "' + b"0" * 32 + b'"}', "not_found"),
        (b'{"upload": "' + b"0" * 70_000 + b'"}', "body_too_large"),
        (b'{"upload": "x", "preset": "none"}', "unknown_preset"),
        (b'{"upload": "x", "batch": "y"}', "not_found"),
    ],
)  # fmt: skip
def test_a_body_that_names_no_upload_is_refused(service: Service, body: bytes, code: str) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert_problem(service.client.post("/v1/images", content=body, headers=headers), code)


def test_options_may_come_in_the_query_but_not_twice(service: Service) -> None:
    upload = brought(service)

    def ask(query: str, **more: str) -> httpx.Response:
        return service.client.post(f"/v1/images?{query}", json={"upload": upload, **more})

    assert_problem(ask("label=cat", label="cat"), "invalid_option")
    batch = service.client.post("/v1/batches", json={"options": {"label": "dog"}}).json()["id"]
    assert_problem(ask(f"batch={batch}", batch=batch), "invalid_option")
    item = ask(f"batch={batch}", preset="subtle").json()
    assert (item["batch"], item["options"]["label"]) == (batch, "dog")
    assert ask("preset=subtle", batch=batch).json()["id"] == item["id"]


def test_the_quota_counts_when_it_becomes_a_photo(service: Service) -> None:
    service.ledger.tenants.set_quota("default", 0.001)
    upload = brought(service)
    service.ledger.tenants.set_quota("default", 0.0001)
    assert_problem(use(service, upload), "over_quota")
    assert len(service.kept()) == 1, "it may be used tomorrow"
    service.ledger.tenants.set_quota("default", None)
    ready(service, upload)


def test_a_full_queue_refuses_photos_not_uploads(make_service: ServiceFactory) -> None:
    service = make_service(queue_max_items=1)
    first, second = brought(service), brought(service)
    ready(service, first)
    time.sleep(0.6)  # the depth is remembered for half a second
    assert_problem(use(service, second), "queue_full")
    brought(service)


def test_a_full_store_is_not_the_callers_fault(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = begun(service)

    def fail(*_given: object, **_named: object) -> bool:
        raise Unavailable("No room.", "storage_full")

    with monkeypatch.context() as patch:
        patch.setattr(service.store, "put", fail)
        assert_problem(go_on(service, place, PHOTO), "storage_full")
    assert offset(service, place) == 0
    assert go_on(service, place, PHOTO).status_code == 204


def test_a_photo_is_protected_at_once_from_an_upload(service: Service) -> None:
    from tests.api.http.service import working  # noqa: PLC0415  # only here

    upload = brought(service)
    with working(service):
        answer = service.client.post("/v1/protect", json={"upload": upload})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/png")
    until(lambda: service.kept() == [])


def direct(service: Service, **wanted: Any) -> httpx.Response:  # noqa: ANN401  # JSON
    return service.client.post("/v1/uploads", json={"bytes": len(PHOTO), **wanted})


def send(service: Service, told: dict[str, Any], data: bytes) -> httpx.Response:
    """What every client does, wherever it leads."""
    url = httpx.URL(service.url).join(told["url"])
    return httpx.request(told["method"], url, content=data, headers=told["headers"])


def digest(data: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


def test_a_photo_may_come_in_one_piece(service: Service) -> None:
    answer = direct(service, filename="a.png", content_digest=digest(PHOTO))
    told = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/v1/uploads/{told['id']}"
    into_the_store = service.settings.storage_public_url is not None
    assert told["url"].startswith("http" if into_the_store else "/v1/uploads/")
    assert_problem(use(service, told["id"]), "upload_incomplete")
    assert send(service, told, PHOTO[:-1] + b"x").is_success
    assert_problem(use(service, told["id"]), "digest_mismatch")
    assert send(service, told, PHOTO).is_success, "it may be sent again"
    assert len(service.kept()) == 1
    assert use(service, told["id"]).json()["source"]["filename"] == "a.png"
    assert len(service.kept()) == 1


def test_in_the_store_nothing_is_trusted(service: Service) -> None:
    """Whatever was put there is counted and looked at when it is used."""
    for data, code in (
        (PHOTO[:-1], "length_mismatch"), (PHOTO + b"x", "length_mismatch"),
        (b"%" * len(PHOTO), "not_an_image"),
    ):  # fmt: skip
        told = direct(service).json()
        service.store.put(upload_key("default", told["id"], DIRECT), data)
        assert_problem(use(service, told["id"]), code)
    assert service.ledger.items.count_by_state() == {}


def test_a_url_opens_nothing_but_its_upload(service: Service) -> None:
    if service.settings.storage_public_url is None:
        pytest.skip("there are no signed URLs")
    told = direct(service).json()
    url = httpx.URL(told["url"])
    assert httpx.get(url).status_code == 403
    other = url.copy_with(path=url.path.replace(told["id"], new_id()))
    assert httpx.put(other, content=b"x").status_code == 403
    assert service.kept() == []


@pytest.mark.parametrize("data", [b"", PHOTO[:-1], PHOTO + b"x"])
def test_another_length_than_announced_is_refused(service: Service, data: bytes) -> None:
    place = begun(service)
    answer = service.client.put(f"{place}/content", content=data)
    assert answer.json()["code"] in {"length_mismatch", "body_too_large"}
    assert (offset(service, place), service.kept()) == (0, [])


def test_one_piece_takes_the_place_of_parts(service: Service) -> None:
    place = begun(service)
    go_on(service, place, PHOTO[:9])
    assert service.client.put(f"{place}/content", content=PHOTO).status_code == 204
    assert len(service.kept()) == 1
    ready(service, id_of(place))
    assert_problem(service.client.put(f"{place}/content", content=PHOTO), "upload_used")


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"bytes": 0}, "invalid_option"), ({"bytes": "x"}, "invalid_option"),
        ({"bytes": 25 * 2**20 + 1}, "body_too_large"), ({"colour": 1}, "invalid_option"),
        ({"filename": "x" * 129}, "invalid_option"), ({"content_digest": "x"}, "malformed_request"),
    ],
)  # fmt: skip
def test_a_piece_that_cannot_be_is_refused(
    service: Service, wanted: dict[str, Any], code: str
) -> None:
    assert_problem(direct(service, **wanted), code)


def test_an_odd_name_is_made_harmless(service: Service) -> None:
    upload = direct(service, filename="../ä\0b\nc.png ").json()["id"]
    service.client.put(f"/v1/uploads/{upload}/content", content=PHOTO)
    assert ready(service, upload)["source"]["filename"] == "äbc.png"
