"""What the public gets from the gateway, over folders, real S3 and a web server."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from PIL import Image

from photoward.api.gateway.app import open_library
from photoward.core.errors import BadInput
from photoward.core.jobs import Failure
from photoward.core.output_marks import output_mark
from photoward.core.settings import Settings
from photoward.core.storage.origins import open_origin
from tests.api.gateway.places import BucketPlace, FolderPlace, Gateway, gateway
from tests.api.http.service import Service, picture, serving, working
from tests.support.servers import S3_KEYS
from tests.support.web import site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.api.gateway.places import Place

LEASE = timedelta(minutes=1)
MP4 = b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2" + bytes(range(256)) * 40


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with serving(tmp_path / "service") as made, working(made):
        yield made


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    if request.param == "folder":
        return FolderPlace(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", request.getfixturevalue("s3_endpoint"))
    for name, value in S3_KEYS.items():
        monkeypatch.setenv(name, value)
    return BucketPlace()


@pytest.fixture
def folder(tmp_path: Path) -> FolderPlace:
    return FolderPlace(tmp_path)


@pytest.fixture
def public(place: Place, service: Service) -> Iterator[Gateway]:
    with gateway(place.inbox, place.outbox, service.url) as made:
        yield made


def change(original: bytes, served: bytes) -> int:
    """The largest change of a sample."""
    first, second = (
        np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.int16)
        for data in (original, served)
    )
    return int(np.abs(first - second).max())


def submitted(service: Service) -> int:
    """How many pictures of the usual size were ever submitted."""
    return round(service.ledger.tenants.usage("default").megapixels / (40 * 30 / 1e6))


def test_a_photo_is_protected_once_and_served_as_files_are(
    public: Gateway, place: Place, service: Service
) -> None:
    original = picture("JPEG", quality=90)
    place.put("media/ü #2.jpg", original)
    first = public.get("media/%C3%BC%20%232.jpg")
    assert first.status_code == 200
    assert first.headers["Content-Type"] == "image/jpeg"
    assert change(original, first.content) > 2
    digest = hashlib.sha256(first.content).hexdigest()
    assert first.headers["ETag"] == f'"{digest}"'
    assert first.headers["X-Robots-Tag"] == "noai, noimageai"
    assert first.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    again = public.get("media/%C3%BC%20%232.jpg")
    assert again.content == first.content
    assert submitted(service) == 1
    assert service.kept() == [], "the service keeps nothing of it"
    assert len(place.protected()) == 1


def test_caches_and_players_get_what_they_ask_for(public: Gateway, place: Place) -> None:
    place.put("a.png", picture())
    whole = public.get("a.png")
    head = public.client.head("/a.png")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(whole.content))
    part = public.get("a.png", Range="bytes=10-19")
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(whole.content)}"
    assert public.get("a.png", Range="bytes=9999999-").status_code == 416
    same = public.get("a.png", If_None_Match=whole.headers["ETag"])
    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["Cache-Control"] == "public, max-age=3600"


def test_a_replaced_photo_is_protected_anew_and_the_old_file_goes(
    public: Gateway, place: Place
) -> None:
    place.put("a.png", picture())
    before = public.get("a.png")
    place.put("a.png", picture(size=(60, 50)))
    after = public.get("a.png")
    assert Image.open(io.BytesIO(after.content)).size == (60, 50)
    assert before.headers["ETag"] != after.headers["ETag"]
    assert len(place.protected()) == 1


def test_what_leaves_the_inbox_leaves_the_outbox(public: Gateway, place: Place) -> None:
    place.put("a.png", picture())
    assert public.get("a.png").status_code == 200
    place.delete("a.png")
    gone = public.get("a.png")
    assert (gone.status_code, gone.json()["code"]) == (404, "not_found")
    assert gone.headers["Cache-Control"] == "no-store"
    assert place.protected() == []


def test_fifty_first_requests_are_one_job(public: Gateway, place: Place, service: Service) -> None:
    place.put("a.png", picture())
    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(lambda _: httpx.get(f"{public.url}/a.png"), range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert submitted(service) == 1


def test_two_gateways_share_a_job(place: Place, service: Service) -> None:
    place.put("a.png", picture())
    with (
        gateway(place.inbox, place.outbox, service.url) as first,
        gateway(place.inbox, place.outbox, service.url) as second,
        ThreadPoolExecutor(20) as threads,
    ):
        urls = [f"{one.url}/a.png" for one in (first, second)] * 10
        answers = list(threads.map(httpx.get, urls))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert len(place.protected()) == 1


def test_other_options_make_the_file_anew(place: Place, service: Service) -> None:
    original = picture()
    place.put("a.png", original)
    changes = []
    for epsilon in (4, 16):
        options = f"method=sem&epsilon={epsilon}"
        with gateway(place.inbox, place.outbox, service.url, gateway_options=options) as public:
            changes.append(change(original, public.get("a.png").content))
    assert changes[0] < changes[1]


def test_without_the_service_only_what_is_protected_is_served(place: Place, tmp_path: Path) -> None:
    place.put("a.png", picture())
    place.put("b.png", picture())
    with serving(tmp_path / "short-lived") as service, working(service):
        with gateway(place.inbox, place.outbox, service.url) as public:
            protected = public.get("a.png").content
        url = service.url
    with gateway(place.inbox, place.outbox, url) as public:
        assert public.get("a.png").content == protected
        refused = public.get("b.png")
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        assert refused.headers["Retry-After"]
        assert public.get("readyz").status_code == 503
        assert public.get("livez").status_code == 200


def test_a_slow_photo_is_awaited_for_so_long_and_is_there_later(
    place: Place, tmp_path: Path
) -> None:
    place.put("a.png", picture())
    with (
        serving(tmp_path / "slow") as service,
        gateway(place.inbox, place.outbox, service.url, gateway_deadline_seconds=0.3) as public,
    ):
        assert public.get("a.png").status_code == 503
        with working(service):
            until = time.monotonic() + 20
            while (answer := public.get("a.png")).status_code != 200:
                assert time.monotonic() < until
                time.sleep(0.2)
        assert answer.headers["Content-Type"] == "image/png"
        assert submitted(service) == 1


def test_the_outbox_may_be_emptied(public: Gateway, place: Place) -> None:
    place.put("a.png", picture())
    before = public.get("a.png")
    place.empty_outbox()
    assert public.get("a.png").content == before.content


NOT_PROTECTED = {
    "cut.png": picture(size=(400, 300))[:-500],
    "x.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "x.jxl": b"\xff\x0a" + bytes(100),
    "x.mp4": b"\0\0\0\x18ftypisom\0\0\x02\0isomheic" + bytes(100),
    "x.bmp": b"BM" + bytes(12) + b"\x28\0\0\0" + bytes(100),
    "x.html": b"<html><img src='data:image/png;base64,AAAA'></html>",
    "x.pdf": b"no PDF at all",
    "empty.jpg": b"",
}


def test_what_cannot_be_protected_is_not_served(folder: FolderPlace, service: Service) -> None:
    with gateway(folder.inbox, folder.outbox, service.url) as public:
        for name, data in NOT_PROTECTED.items():
            folder.put(name, data)
            for _ in range(2):
                answer = public.get(name)
                assert (answer.status_code, answer.json()["code"]) == (404, "not_served"), name
    assert folder.protected() == []


def test_a_protected_file_that_somebody_uploads_again_is_served_as_it_is(
    folder: FolderPlace, service: Service
) -> None:
    marked = picture("JPEG", xmp=output_mark(b"12345678").encode())
    folder.put("again.jpg", marked)
    with gateway(folder.inbox, folder.outbox, service.url) as public:
        assert public.get("again.jpg").content == marked
    refusing = "method=sem&already_protected=refuse"
    with gateway(folder.inbox, folder.outbox, service.url, gateway_options=refusing) as public:
        assert public.get("again.jpg").status_code == 404


def test_films_pass_in_parts_where_they_may(place: Place, service: Service) -> None:
    place.put("film.jpg", MP4)  # a name says nothing
    with gateway(place.inbox, place.outbox, service.url) as public:
        whole = public.get("film.jpg")
        assert (whole.content, whole.headers["Content-Type"]) == (MP4, "video/mp4")
        part = public.get("film.jpg", Range="bytes=100-199")
        assert (part.status_code, part.content) == (206, MP4[100:200])
        assert "X-Robots-Tag" not in whole.headers
    with gateway(place.inbox, place.outbox, service.url, gateway_pass=("audio",)) as public:
        assert public.get("film.jpg").status_code == 404
    assert place.protected() == []


OUTSIDE = [
    "../secret.png", "%2e%2e/secret.png", "..%2fsecret.png", "a/../../secret.png", "a//b.png",
    "%2e%2e%5csecret.png", ".hidden.png", "sub/.b/c.png", "link.png", "links/secret.png",
    "%00.png", "sub", "", "x" * 2000, "a.png/b.png", "fifo.png", "%ff.png",
]  # fmt: skip


def test_nothing_outside_the_inbox_is_read(folder: FolderPlace, service: Service) -> None:
    outside = folder.root.parent / "secret.png"
    outside.write_bytes(picture())
    for name in ("a.png", ".hidden.png", "sub/.b/c.png", "sub/a.png"):
        folder.put(name, picture())
    (folder.root / "link.png").symlink_to(outside)
    (folder.root / "links").symlink_to(folder.root.parent)
    os.mkfifo(folder.root / "fifo.png")
    with gateway(folder.inbox, folder.outbox, service.url) as public:
        for path in OUTSIDE:
            raw = httpx.URL(public.url).copy_with(raw_path=f"/{path}".encode())
            assert public.client.send(httpx.Request("GET", raw)).status_code == 404, path
        assert public.get("sub/a.png").status_code == 200
    assert submitted(service) == 1


def test_a_refusal_of_the_gateway_itself_is_no_refusal_of_the_photo(
    folder: FolderPlace, service: Service
) -> None:
    folder.put("a.png", picture())
    with gateway(folder.inbox, folder.outbox, service.url, gateway_options="preset=brutal") as one:
        assert one.get("a.png").status_code == 503
    with gateway(folder.inbox, folder.outbox, service.url) as one:
        assert one.get("a.png").status_code == 200


def test_a_fault_of_the_service_is_tried_again(folder: FolderPlace, tmp_path: Path) -> None:
    folder.put("a.png", picture())
    with (
        serving(tmp_path / "unlucky") as service,
        gateway(folder.inbox, folder.outbox, service.url, gateway_deadline_seconds=0.5) as public,
    ):
        assert public.get("a.png").status_code == 503
        (item,) = service.ledger.items.claim(limit=1, max_megapixels=9, lease=LEASE)
        failure = Failure(item.id, "worker_lost", "It outlived three workers.")
        service.ledger.items.fail(str(item.lease_token), [failure])
        with working(service):
            until = time.monotonic() + 20
            while public.get("a.png").status_code != 200:
                assert time.monotonic() < until
                time.sleep(0.2)


def test_a_sweep_deletes_what_has_left_unseen(place: Place, service: Service) -> None:
    for name in ("a.png", "b.png"):
        place.put(name, picture())
    with gateway(place.inbox, place.outbox, service.url) as public:
        kept = public.get("a.png").content
        assert public.get("b.png").status_code == 200
    place.delete("b.png")
    assert len(place.protected()) == 2
    settings = Settings(
        gateway_inbox=place.inbox, gateway_outbox=place.outbox, gateway_service_url=service.url
    )
    assert asyncio.run(open_library(settings).sweep(0)) == 1
    with gateway(place.inbox, place.outbox, service.url) as public:
        assert public.get("a.png").content == kept
    assert submitted(service) == 2


def test_an_inbox_on_a_web_server(tmp_path: Path, service: Service) -> None:
    outbox = (tmp_path / "out").as_uri()
    with site() as web:
        original = picture()
        web.files = {"/t/a?size=small&key=1": original, "/t/film": MP4}
        more = {"fetch_allow_private": True, "gateway_query": ("key", "size")}
        with gateway(f"{web.url}/t", outbox, service.url, **more) as public:
            answer = public.get("a?key=1&other=2&size=small")
            assert answer.status_code == 404, "its query is put in order"
            web.files["/t/a?key=1&size=small"] = original
            time.sleep(0.01)
            answer = public.get("a?size=small&key=1&other=2")
            assert answer.status_code == 200
            assert change(original, answer.content) > 2
            film = public.get("film", Range="bytes=0-9")
            assert (film.status_code, film.content) == (200, MP4)
            del web.files["/t/a?key=1&size=small"]
            assert public.get("a?size=small&key=1").status_code == 404


@pytest.mark.parametrize("inbox", ["http://127.0.0.1/x", "https://10.0.0.1/", "ftp://x/y", "x"])
def test_other_inboxes_are_refused(inbox: str) -> None:
    with pytest.raises(BadInput, match=r"inbox|fetched"):
        open_origin(inbox, Settings())


@pytest.mark.parametrize(
    ("inbox", "outbox", "more"),
    [
        ("file:///a", "file:///a", {}),
        ("file:///a/", "file:///a/b", {}),
        ("s3://a/b/c", "s3://a/b", {}),
        ("file:///a", None, {}),
        (None, "file:///a", {}),
        ("file:///a", "file:///b", {"gateway_pass": ("pictures",)}),
        ("file:///a", "file:///b", {"gateway_options": "sizes=10"}),
        ("file:///a", "file:///b", {"gateway_options": "strong"}),
    ],
)
def test_what_cannot_be_set_up_is_said(
    inbox: str | None, outbox: str | None, more: dict[str, Any]
) -> None:
    with pytest.raises(BadInput) as caught:
        open_library(Settings(gateway_inbox=inbox, gateway_outbox=outbox, **more))
    assert caught.value.code == "invalid_option"


def test_only_reading_is_allowed(folder: FolderPlace, service: Service) -> None:
    folder.put("a.png", picture())
    with gateway(folder.inbox, folder.outbox, service.url) as public:
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            answer = public.client.request(method, "/a.png")
            assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
