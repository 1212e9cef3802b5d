"""Several files of one photo: as a zip, as parts, one by one."""

from __future__ import annotations

import email
import hashlib
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from photoward.api.http.headers.accept import FILE, MULTIPART, ZIP, preferred_form
from tests.api.http.service import picture, work, working
from tests.api.http.test_protect import assert_nothing_is_kept
from tests.api.http.test_refusals import assert_problem

if TYPE_CHECKING:
    from tests.api.http.conftest import ServiceFactory
    from tests.api.http.service import Service

WANTED: list[dict[str, Any]] = [
    {"name": "thumb", "width": 20, "height": 20, "fit": "cover", "gravity": "west"},
    {"name": "full"},
    {"name": "wide", "width": 30, "format": "webp", "quality": 80},
]
SIZES = {"full.png": (40, 30), "thumb.png": (20, 20), "wide.webp": (30, 22)}


@pytest.fixture
def service(make_service: ServiceFactory) -> Service:
    return make_service()


def sizes_in(data: bytes) -> dict[str, tuple[int, int]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        return {name: Image.open(io.BytesIO(archive.read(name))).size for name in names}


def test_they_come_as_a_zip_and_nothing_is_kept(service: Service) -> None:
    query = {"renditions": json.dumps(WANTED)}
    with working(service):
        raw = service.client.post("/v1/protect", params=query, content=picture())
        form = service.client.post(
            "/v1/protect", data=query, files={"file": ("cat.png", picture(), "image/png")}
        )
    for answer in (raw, form):
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"] == ZIP
        assert answer.headers["Photoward-Method"] == "sem"
        assert sizes_in(answer.content) == SIZES
    assert_nothing_is_kept(service)


def test_they_come_as_parts_if_asked(service: Service) -> None:
    query = {"renditions": json.dumps(WANTED)}
    with working(service):
        answer = service.client.post(
            "/v1/protect", params=query, content=picture(), headers={"Accept": MULTIPART}
        )
    head = f"Content-Type: {answer.headers['Content-Type']}\r\n\r\n".encode()
    parts = email.message_from_bytes(head + answer.content)
    assert parts.get_content_type() == MULTIPART
    found = {}
    for part in parts.get_payload():
        assert isinstance(part, email.message.Message)
        data = part.get_payload(decode=True)
        assert isinstance(data, bytes)
        assert int(part["Content-Length"]) == len(data)
        assert part["ETag"] == f'"{hashlib.sha256(data).hexdigest()}"'
        found[part.get_filename()] = Image.open(io.BytesIO(data)).size
    assert found == SIZES


def test_of_an_image_each_is_found_by_its_name(service: Service) -> None:
    place = service.upload(params={"renditions": json.dumps(WANTED)}).headers["Location"]
    work(service)
    image = service.client.get(place).json()
    shown = {one["name"]: one for one in image["renditions"]}
    assert list(shown) == ["full", "wide", "thumb"]
    assert shown["wide"]["media_type"] == "image/webp"
    assert [one["name"] for one in image["options"]["renditions"]] == ["thumb", "full", "wide"]
    for name, one in shown.items():
        answer = service.client.get(f"{place}/content?rendition={name}")
        assert answer.headers["Content-Type"] == one["media_type"]
        assert hashlib.sha256(answer.content).hexdigest() == one["sha256"]
        assert service.client.get(one["content"]).content == answer.content
        assert Image.open(io.BytesIO(answer.content)).size == (one["width"], one["height"])
    whole = service.client.get(f"{place}/content")
    assert whole.headers["ETag"] == f'"{shown["full"]["sha256"]}"'
    zipped = service.client.get(f"{place}/content", headers={"Accept": ZIP})
    assert sizes_in(zipped.content) == SIZES
    assert_problem(service.client.get(f"{place}/content?rendition=nothing"), "invalid_option")
    assert service.client.delete(place).status_code == 204
    assert not [key for key in service.kept() if image["id"] in key]


def test_the_crop_keeps_the_side_that_was_asked_for(service: Service) -> None:
    with working(service):
        answer = service.client.post(
            "/v1/protect",
            params={"renditions": json.dumps(WANTED[:1])},
            content=picture(size=(240, 30)),
            headers={"Accept": "image/png"},
        )
    assert answer.headers["Content-Type"] == "image/png"
    shown = Image.open(io.BytesIO(answer.content)).convert("RGB")
    assert shown.size == (20, 20)
    red, *_ = shown.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))  # type: ignore[misc]
    assert red < 40, "red grows from the left to the right"


def test_sizes_are_a_short_word_for_them(service: Service) -> None:
    with working(service):
        one = service.client.post("/v1/protect?sizes=20", content=picture())
        several = service.client.post(
            "/v1/protect?sizes=20,16", content=picture(), headers={"Accept": ZIP}
        )
    assert Image.open(io.BytesIO(one.content)).size == (20, 15)
    assert sizes_in(several.content) == {"20x15.png": (20, 15), "16x12.png": (16, 12)}


def test_a_photos_own_replace_those_of_its_batch(service: Service) -> None:
    asked = {"options": {"renditions": json.dumps(WANTED), "quality": "80"}}
    batch = service.client.post("/v1/batches", json=asked).json()
    own = service.upload(params={"batch": batch["id"], "sizes": "20"}).json()["options"]
    usual = service.upload(params={"batch": batch["id"]}).json()["options"]
    assert [one["width"] for one in own["renditions"]] == [20]
    assert [one["name"] for one in usual["renditions"]] == ["thumb", "full", "wide"]
    assert own["quality"] == usual["quality"] == 80


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", ZIP),
        ("*/*", ZIP),
        ("image/avif,image/webp,*/*;q=0.8", FILE),
        ("application/zip;q=0.5, multipart/mixed", MULTIPART),
        ("multipart/mixed;q=0, application/json", ZIP),
        ("text/html", ZIP),
        ("IMAGE/JPEG; q=1.0", FILE),
    ],
)
def test_the_form_is_what_the_client_likes_best(accept: str, form: str) -> None:
    assert preferred_form([accept], ZIP) == form
