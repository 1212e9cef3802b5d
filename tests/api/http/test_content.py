from __future__ import annotations

import base64
import hashlib
import io
import re
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from photoward.core.object_keys import output_key
from tests.api.http.service import picture, work
from tests.api.http.test_refusals import assert_problem

if TYPE_CHECKING:
    from tests.api.http.service import Service


@pytest.fixture
def done(service: Service) -> str:
    """Path of a finished photo."""
    headers = {"Content-Disposition": "attachment; filename*=UTF-8''m%C3%A4h%22.jpeg"}
    place = service.upload(picture(), headers=headers, params={"output_format": "webp"})
    assert work(service) == 1
    return place.headers["Location"]


def test_the_file_comes_with_its_type_name_and_digests(service: Service, done: str) -> None:
    answer = service.client.get(f"{done}/content")
    digest = hashlib.sha256(answer.content)
    item = service.client.get(done).json()
    assert answer.status_code == 200
    assert Image.open(io.BytesIO(answer.content)).format == "WEBP"
    assert answer.headers["Content-Type"] == "image/webp"
    assert answer.headers["Content-Length"] == str(len(answer.content))
    assert answer.headers["ETag"] == f'"{digest.hexdigest()}"'
    assert item["output"]["sha256"] == digest.hexdigest()
    encoded = base64.b64encode(digest.digest()).decode()
    assert answer.headers["Repr-Digest"] == f"sha-256=:{encoded}:"
    assert answer.headers["X-Robots-Tag"] == "noai, noimageai"
    assert answer.headers["TDM-Reservation"] == "1"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    disposition = answer.headers["Content-Disposition"]
    assert disposition.startswith("attachment; ")
    assert disposition.endswith("filename*=UTF-8''m%C3%A4h%22-protected.webp")


def test_a_set_of_sizes_is_one_item_with_a_file_for_each(service: Service) -> None:
    sizes = {"sizes": "20,16,4000"}
    place = service.upload(picture(), params=sizes).headers["Location"]
    asked = service.client.get(place).json()["options"]["renditions"]
    assert [one["width"] for one in asked] == [4000, 20, 16]
    assert service.client.get(place).json()["renditions"] == []
    assert work(service) == 1
    item = service.client.get(place).json()
    shown = item["renditions"]
    assert [(one["width"], one["height"]) for one in shown] == [(40, 30), (20, 15), (16, 12)]
    assert shown[0]["sha256"] == item["output"]["sha256"]
    for one in shown:
        answer = service.client.get(one["content"])
        assert Image.open(io.BytesIO(answer.content)).size == (one["width"], one["height"])
        assert hashlib.sha256(answer.content).hexdigest() == one["sha256"]
        assert answer.headers["ETag"] == f'"{one["sha256"]}"'
        assert int(answer.headers["Content-Length"]) == one["size"] == len(answer.content)
        head = service.client.head(one["content"])
        assert (head.status_code, head.headers["ETag"]) == (200, answer.headers["ETag"])
        unchanged = {"If-None-Match": answer.headers["ETag"]}
        assert service.client.get(one["content"], headers=unchanged).status_code == 304
    largest = service.client.get(f"{place}/content").content
    for side in (4000, 40):
        assert service.client.get(f"{place}/content?size={side}").content == largest
    for impossible in ("17", "0", "large"):
        refused = service.client.get(f"{place}/content?size={impossible}")
        assert_problem(refused, "invalid_option")
    assert service.client.delete(place).status_code == 204
    assert not [key for key in service.kept() if item["id"] in key]


def test_who_asked_for_no_sizes_gets_no_renditions(service: Service, done: str) -> None:
    assert service.client.get(done).json()["renditions"] == []


def test_who_reserves_nothing_has_nothing_said(service: Service) -> None:
    place = service.upload(picture(), params={"data_mining": "nothing"}).headers["Location"]
    assert work(service) == 1
    answer = service.client.get(f"{place}/content")
    assert answer.status_code == 200
    assert not {"X-Robots-Tag", "TDM-Reservation"} & set(answer.headers)


def test_head_says_the_same_without_the_file(service: Service, done: str) -> None:
    get, head = service.client.get(f"{done}/content"), service.client.head(f"{done}/content")
    assert (head.status_code, head.content) == (200, b"")
    changing = {"date", "x-request-id"}
    assert {k: v for k, v in get.headers.items() if k not in changing} == {
        k: v for k, v in head.headers.items() if k not in changing
    }


@pytest.mark.parametrize("form", ["{}", 'W/{}, "other"', '"other" , {}', "*"])
def test_a_known_file_is_not_sent_again(service: Service, done: str, form: str) -> None:
    tag = service.client.head(f"{done}/content").headers["ETag"]
    headers = {"If-None-Match": form.format(tag)}
    answer = service.client.get(f"{done}/content", headers=headers)
    assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", tag)


def test_another_file_is_sent(service: Service, done: str) -> None:
    headers = {"If-None-Match": f'"{"0" * 64}"'}
    assert service.client.get(f"{done}/content", headers=headers).status_code == 200


def test_a_file_that_is_not_ready_is_a_conflict(service: Service) -> None:
    place = service.upload().headers["Location"]
    assert_problem(service.client.get(f"{place}/content"), "not_ready")
    assert service.client.get(place).json()["links"]["content"] is None
    assert service.client.head(f"{place}/content").status_code == 409
    service.client.delete(place)


def test_a_failed_one_tells_why(service: Service) -> None:
    place = service.upload(picture()[:-60]).headers["Location"]
    work(service)
    answer = service.client.get(f"{place}/content")
    assert (answer.status_code, answer.json()["status"]) == (409, 409)
    assert answer.json()["code"] == "corrupt"
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_deleting_removes_everything_once(service: Service, done: str) -> None:
    item_id = done.rpartition("/")[2]
    answer = service.client.delete(done)
    assert (answer.status_code, answer.content) == (204, b"")
    assert not [key for key in service.kept() if item_id in key]
    for method, path in [("DELETE", done), ("GET", done), ("GET", f"{done}/content")]:
        assert_problem(service.client.request(method, path), "not_found")


def test_a_file_that_went_missing_is_not_half_an_answer(service: Service, done: str) -> None:
    service.store.delete(output_key("default", done.rpartition("/")[2]))
    assert_problem(service.client.get(f"{done}/content"), "not_found")


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=0-9", 0, 10), ("bytes=10-", 10, None), ("bytes=-7", -7, None), ("bytes=5-5", 5, 6),
     ("bytes=3-99999999", 3, None), ("bytes=-99999999", 0, None), ("Bytes = 4 - 8", 4, 9)],
)  # fmt: skip
def test_a_part_is_given_out(
    asked: str, start: int, end: int | None, service: Service, done: str
) -> None:
    whole = service.client.get(f"{done}/content")
    assert whole.headers["Accept-Ranges"] == "bytes"
    part = service.client.get(f"{done}/content", headers={"Range": asked})
    assert (part.status_code, part.content) == (206, whole.content[start:end])
    first, last, length = map(int, re.findall(r"\d+", part.headers["Content-Range"]))
    assert whole.content[first : last + 1] == part.content
    assert (length, part.headers["Content-Length"]) == (len(whole.content), str(len(part.content)))
    for name in ("ETag", "Repr-Digest", "Content-Type", "X-Robots-Tag", "Content-Disposition"):
        assert part.headers[name] == whole.headers[name]


def test_a_download_that_broke_off_goes_on(service: Service, done: str) -> None:
    whole = service.client.get(f"{done}/content")
    tag = whole.headers["ETag"]
    headers = {"Range": "bytes=100-", "If-Range": tag}
    rest = service.client.get(f"{done}/content", headers=headers)
    assert whole.content[:100] + rest.content == whole.content
    other = {**headers, "If-Range": f'"{"0" * 64}"'}
    assert service.client.get(f"{done}/content", headers=other).content == whole.content
    known = {**headers, "If-None-Match": tag}
    assert service.client.get(f"{done}/content", headers=known).status_code == 304


@pytest.mark.parametrize(
    "asked",
    ["", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=9-3", "items=0-9", "bytes=0-1,3-4",
     "bytes=" + 30 * "9" + "-"],
)  # fmt: skip
def test_what_is_no_part_is_not_honoured(asked: str, service: Service, done: str) -> None:
    answer = service.client.get(f"{done}/content", headers={"Range": asked})
    assert (answer.status_code, len(answer.content)) == (200, int(answer.headers["Content-Length"]))


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0", "bytes=88888888-99999999"])
def test_a_part_beyond_the_end_is_refused(asked: str, service: Service, done: str) -> None:
    length = service.client.head(f"{done}/content").headers["Content-Length"]
    answer = service.client.get(f"{done}/content", headers={"Range": asked})
    assert_problem(answer, "range_not_satisfiable")
    assert answer.headers["Content-Range"] == f"bytes */{length}"
