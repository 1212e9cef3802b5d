"""Batches over HTTP: in one by one or as a zip, out as a list or as a zip."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import struct
import subprocess
import tracemalloc
import zipfile
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from photoward.api.http.pagination import decode_cursor, encode_cursor
from photoward.api.ingest import filenames
from photoward.api.ingest.admission import MAX_BODIES
from photoward.api.ingest.archives import base as archives
from photoward.core import api_keys
from photoward.core.api_keys import TENANT_SCOPES
from photoward.core.errors import BadInput, Overloaded
from photoward.core.jobs import Failure, State, new_id
from photoward.core.object_keys import original_key
from tests.api.http.service import PEPPER, Recorded, picture, work
from tests.api.http.test_refusals import assert_problem

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from photoward.core.ledger import Ledger
    from tests.api.http.conftest import ServiceFactory
    from tests.api.http.service import Service

PHOTO = picture()


def made(service: Service, **wanted: Any) -> dict[str, Any]:  # noqa: ANN401  # JSON
    answer = service.client.post("/v1/batches", json=wanted)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    assert answer.headers["Location"] == f"/v1/batches/{found['id']}"
    return found


def zipped(files: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", how) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def send(service: Service, batch: dict[str, Any], data: bytes, **query: Any) -> httpx.Response:  # noqa: ANN401  # any value
    return service.client.post(
        f"{batch['links']['self']}/archive", content=data, params=query,
        headers={"Content-Type": "application/zip"},
    )  # fmt: skip


def lines(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


def worked_off(service: Service) -> None:
    while work(service):
        """More may be queued than one claim takes."""


def test_photos_of_a_batch_take_its_options_unless_they_say_otherwise(service: Service) -> None:
    batch = made(service, name="holiday", options={"preset": "subtle", "label": "beach"})
    assert batch["options"]["label"] == "beach"
    assert (batch["counts"], batch["total"], batch["eta_s"]) == ({}, 0, 0)
    own = {"batch": batch["id"]}
    plain = service.upload(params=own).json()
    strong = service.upload(params={**own, "epsilon": 8, "label": "dog"}).json()
    assert (plain["options"]["preset"], plain["options"]["label"]) == ("subtle", "beach")
    assert (strong["options"]["epsilon"], strong["options"]["label"]) == (8, "dog")
    assert plain["batch"] == batch["id"]
    worked_off(service)
    stands = service.client.get(batch["links"]["self"]).json()
    assert (stands["counts"], stands["total"], stands["ended"]) == ({"succeeded": 2}, 2, 2)


def test_batches_are_listed_newest_first(make_service: ServiceFactory) -> None:
    service = make_service()
    ids = [made(service, name=name)["id"] for name in ("a", "b", "c")]
    found, cursor = list[str](), dict[str, str]()
    for _ in range(3):
        page = service.client.get("/v1/batches", params={"limit": 1, **cursor}).json()
        found += [batch["id"] for batch in page["items"]]
        cursor = {"cursor": page["next"]}
    assert found == ids[::-1]
    last = service.client.get("/v1/batches", params=cursor).json()
    assert last == {"items": [], "next": None}
    for wrong in ("x", encode_cursor(7), encode_cursor(new_id()), encode_cursor("Ä" * 32)):
        assert_problem(
            service.client.get("/v1/batches", params={"cursor": wrong}), "invalid_option"
        )


def test_a_batch_may_be_named_in_the_form_too(service: Service) -> None:
    batch = made(service, options={"preset": "subtle"})
    for fields in ({"batch": batch["id"]}, {"label": "dog", "batch": batch["id"]}):
        files = {"file": ("a.png", PHOTO, "image/png")}
        answer = service.client.post("/v1/images", data=fields, files=files)
        assert answer.status_code == 202, answer.text
        shown = answer.json()
        assert (shown["batch"], shown["options"]["preset"]) == (batch["id"], "subtle")
    twice = service.client.post(
        "/v1/images", data={"batch": batch["id"]}, files={"file": ("a.png", PHOTO, "image/png")},
        params={"batch": batch["id"]},
    )  # fmt: skip
    assert_problem(twice, "invalid_option")
    assert service.client.get(batch["links"]["self"]).json()["total"] == 2
    worked_off(service)


@pytest.mark.parametrize("name", ["", "x", "%00", "0" * 31, "A" * 32])
def test_what_is_no_batch_is_refused_wherever_it_stands(name: str, service: Service) -> None:
    before = service.kept()
    assert_problem(service.upload(params={"batch": name}), "not_found")
    files = {"file": ("a.png", PHOTO, "image/png")}
    form = service.client.post("/v1/images", data={"batch": name}, files=files)
    assert_problem(form, "not_found")
    named = service.client.post("/v1/images", json={"upload": new_id(), "batch": name})
    assert_problem(named, "not_found")
    assert service.kept() == before


def test_a_batch_that_cannot_be_is_refused(service: Service) -> None:
    for options in ({"preset": "brutal"}, {"epsilon": 99}, {"nonsense": 1}, {"preset": 1}):
        answer = service.client.post("/v1/batches", json={"options": options})
        assert answer.status_code == 422
    assert_problem(service.upload(params={"batch": new_id()}), "not_found")
    assert_problem(service.upload(params={"batch": "x"}), "not_found")


def test_a_zip_becomes_items_and_comes_back_as_a_zip(service: Service) -> None:
    batch = made(service, options={"output_format": "png"})
    files = {
        "cats/1.jpg": picture("JPEG"), "dogs/1.png": picture(size=(20, 10)), "alone.png": PHOTO,
        "cats/notes.txt": b"no picture", "__MACOSX/cats/._1.jpg": b"junk", ".DS_Store": b"junk",
        "empty/": b"", "cats/cut.png": PHOTO[:20],
        archives.MANIFEST: b'{"file": "alone.png", "label": "fish", "sizes": "16"}\n\n',
    }  # fmt: skip
    told = lines(send(service, batch, zipped(files), labels_from_folders=True))
    counts, by_name = told[-1], {one["file"]: one for one in told[:-1]}
    assert counts == {"accepted": 3, "refused": 2}
    assert by_name.keys() == {"cats/1.jpg", "dogs/1.png", "alone.png", "cats/notes.txt",
                              "cats/cut.png"}  # fmt: skip
    assert by_name["cats/notes.txt"]["problem"]["code"] == "not_an_image"
    assert by_name["cats/cut.png"]["problem"]["code"] == "truncated"
    worked_off(service)
    results = lines(service.client.get(batch["links"]["results"]))
    assert {one["file"]: one["label_used"] for one in results} == {
        "cats/1.jpg": "cats", "dogs/1.png": "dogs", "alone.png": "fish",
    }  # fmt: skip
    answer = service.client.get(batch["links"]["archive"])
    assert answer.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["cats/1.png", "dogs/1.png", "alone.png", "results.ndjson"]
        digests = {hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}
        assert {one["sha256"] for one in results} <= digests
        with archive.open("alone.png") as file:
            assert Image.open(file).size == (16, 12)
        last = [json.loads(line) for line in archive.read("results.ndjson").splitlines()]
        assert last == results


def test_a_manifest_is_refused_line_by_line(service: Service) -> None:
    manifest = (
        '{"file": "a.png", "preset": "brutal"}\nnonsense\n{"label": "x"}\n{"file": 7}\n'
        '{"file": "c.png", "label": "c"}\n{"file": "c.png"}\n{"file": "gone.png"}\n[1]\n'
        '{"file": "b.png", "colour": "red"}'
    )
    data = zipped({"a.png": PHOTO, "b.png": PHOTO, "c.png": PHOTO, "d.png": PHOTO,
                   archives.MANIFEST: manifest.encode()})  # fmt: skip
    told = lines(send(service, made(service), data))
    assert told[-1] == {"accepted": 2, "refused": 8}
    problems = {one["file"]: one["problem"] for one in told[:-1] if "problem" in one}
    assert problems["a.png"]["code"] == "unknown_preset"
    assert problems["b.png"]["field"] == "colour"
    assert "line 9" in problems["b.png"]["detail"]
    assert "not in the archive" in problems["gone.png"]["detail"]
    assert "named twice" in problems["manifest.ndjson, line 6"]["detail"]
    for number in (2, 3, 4, 8):
        where = f"manifest.ndjson, line {number}"
        assert problems[where]["code"] == "malformed_request"


def test_two_files_of_one_name_are_two_items(service: Service) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.png", PHOTO)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.png", picture(size=(9, 9)))
    batch = made(service)
    assert lines(send(service, batch, buffer.getvalue()))[-1]["accepted"] == 2
    worked_off(service)
    with zipfile.ZipFile(
        io.BytesIO(service.client.get(batch["links"]["archive"]).content)
    ) as archive:  # fmt: skip
        assert archive.namelist() == ["a.png", "a-2.png", "results.ndjson"]


def bomb() -> bytes:
    return zipped({f"{n}.png": bytes(4 << 20) for n in range(3)})


def lying() -> bytes:
    """It says that its file has four bytes."""
    data = bytearray(zipped({"a.png": PHOTO}, zipfile.ZIP_STORED))
    at = data.rindex(b"PK\1\2")
    data[at + 20 : at + 28] = (4).to_bytes(4, "little") * 2
    return bytes(data)


def _entries(count: int, told: int) -> bytes:
    """Files of one byte that all lie in the same place; it says that it has ``told`` of them."""
    byte = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 0, 0, 1, 1, 1, 0) + b"ax"
    listed = b"".join(
        struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 1, 1, 6, *[0] * 6)
        + f"{number:06x}".encode()
        for number in range(count)
    )
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, told, told, len(listed), len(byte), 0)
    return byte + listed + end


@pytest.mark.parametrize(
    ("data", "code"),
    [(_entries(30_000, 1), "corrupt"), (_entries(2, 2), "corrupt"),
     (b"", "corrupt"), (b"nonsense" * 100, "corrupt"), (zipped({"a": b""})[:-30], "corrupt"),
     (b"PK\5\6" + bytes(6) + b"\xff\xff\xff\xff" + bytes(12), "body_too_large"),
     (bomb(), "body_too_large")],
    ids=["more than it says", "in each other", "empty", "nonsense", "cut", "too many", "bomb"],
)  # fmt: skip
def test_what_is_no_good_zip_is_refused(
    data: bytes, code: str, make_service: ServiceFactory
) -> None:
    service = make_service(upload_max_archive_bytes=2 << 20)
    batch = made(service)
    tracemalloc.start()
    assert_problem(send(service, batch, data), code)
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()
    assert service.client.get(batch["links"]["self"]).json()["total"] == 0
    assert service.kept() == []


def test_an_archive_sent_again_under_its_key_is_handed_in_once(service: Service) -> None:
    batch = made(service)
    data = zipped({"a.png": PHOTO, "b.png": PHOTO, "a/b.png": picture(size=(20, 10))})
    ends = {"Content-Type": "application/zip", "Idempotency-Key": "monday"}
    place = f"{batch['links']['self']}/archive"
    with service.client.stream("POST", place, content=data, headers=ends) as answer:
        first = json.loads(next(answer.iter_lines()))  # and then the line is cut
    again = lines(service.client.post(place, content=data, headers=ends))
    assert (again[0], again[-1]) == (first, {"accepted": 3, "refused": 0})
    assert len({one["id"] for one in again[:-1]}) == 3
    assert lines(service.client.post(place, content=data, headers=ends)) == again
    assert service.client.get(batch["links"]["self"]).json()["total"] == 3
    other = lines(send(service, batch, data))
    assert not {one.get("id") for one in other[:-1]} & {one.get("id") for one in again[:-1]}


def test_a_fault_of_ours_over_one_file_never_stops_the_rest(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = made(service)
    options, calls = service.app.state.services.catalogue.options, []

    def broken(**wanted: Any) -> Any:  # noqa: ANN401  # passed on
        calls.append(wanted)
        if len(calls) == 2:
            raise RuntimeError("password=hunter2")
        return options(**wanted)

    monkeypatch.setattr(service.app.state.services.catalogue, "options", broken)
    answer = send(service, batch, zipped(dict.fromkeys(("a.png", "b.png", "c.png"), PHOTO)))
    told = lines(answer)
    assert [one.get("problem", {}).get("code") for one in told[:-1]] == [
        None, "internal_error", None,
    ]  # fmt: skip
    assert told[-1] == {"accepted": 2, "refused": 1}
    assert "hunter2" not in answer.text


def test_what_is_deleted_while_a_zip_is_on_its_way_is_left_out(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = made(service)
    for name in ("a.png", "b.png", "c.png"):
        send(service, batch, zipped({name: PHOTO}))
    worked_off(service)
    items = service.client.get(batch["links"]["images"]).json()["items"]
    stream, opened = service.store.stream, []

    def deleting(key: str, *more: int) -> Any:  # noqa: ANN401  # passed on
        opened.append(key)
        if len(opened) == 2:
            service.client.delete(items[1]["links"]["self"])
        return stream(key, *more)

    monkeypatch.setattr(service.store, "stream", deleting)
    answer = service.client.get(batch["links"]["archive"])
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a.png", "c.png", "results.ndjson"]
        told = archive.read("results.ndjson").splitlines()
    assert [json.loads(one)["file"] for one in told] == ["a.png", "c.png"]


def test_a_zip_of_a_part_says_so(service: Service) -> None:
    batch = made(service)
    marks = []
    for name in ("a.png", "b.png"):
        send(service, batch, zipped({name: PHOTO}))
        worked_off(service) if name == "a.png" else None
        answer = service.client.get(batch["links"]["archive"])
        named = answer.headers["Content-Disposition"]
        marks.append((answer.headers["Batch-Complete"], "-partial.zip" in named))
    worked_off(service)
    assert marks == [("?1", False), ("?0", True)]


def test_names_that_leave_can_be_unpacked_anywhere(service: Service) -> None:
    batch = made(service, options={"output_format": "png"})
    names = ["A.png", "a.png", "C:/x.png", "x/con.png", "x/a?.png", "x/Com1.y.png", "x/ÄB.png",
             "x/äb.png"]  # fmt: skip
    send(service, batch, zipped(dict.fromkeys(names, PHOTO)))
    worked_off(service)
    content = service.client.get(batch["links"]["archive"]).content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist()[:-1] == [
            "A.png", "a-2.png", "C_/x.png", "x/_con.png", "x/a_.png", "x/_Com1.y.png",
            "x/ÄB.png", "x/äb-2.png",
        ]  # fmt: skip


def test_a_zip_that_lies_or_hides_harms_only_its_files(service: Service) -> None:
    batch = made(service)
    for data in (lying(), bytes(_encrypted(zipped({"a.png": PHOTO})))):
        (one, counts) = lines(send(service, batch, data))
        assert counts == {"accepted": 0, "refused": 1}
        assert one["problem"]["code"] in (
            "corrupt",
            "truncated",
            "not_an_image",
            "unsupported_type",
        )


def _encrypted(data: bytes) -> bytearray:
    changed = bytearray(data)
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        changed[changed.index(signature) + offset] |= 1
    return changed


def test_an_archive_has_a_type_and_a_limit(make_service: ServiceFactory) -> None:
    service = make_service(upload_max_archive_bytes=1000)
    batch = made(service)
    place = f"{batch['links']['self']}/archive"
    assert_problem(service.client.post(place, content=b"x"), "unsupported_content_type")
    assert_problem(send(service, batch, bytes(1001)), "body_too_large")
    endless = (bytes(400) for _ in range(5))
    answer = service.client.post(
        place, content=endless, headers={"Content-Type": "application/zip"}
    )
    assert_problem(answer, "body_too_large")


def test_when_the_queue_is_full_the_rest_is_told(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter([None, Overloaded("Too many wait.")])

    def check_now() -> None:
        error = next(looks)
        if error:
            raise error

    monkeypatch.setattr(service.app.state.services.admission, "check_now", check_now)
    data = zipped({f"{n}.png": PHOTO for n in range(60)})
    told = lines(send(service, made(service), data))
    assert told[-1] == {"accepted": 50, "refused": 10}
    assert {one["problem"]["code"] for one in told[50:60]} == {"queue_full"}


class Counting(Recorded):
    """Wake-ups that note how many photos were queued at that time."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger: Ledger | None = None
        self.queued: list[int] = []

    def send(self, item_id: str) -> bool:
        assert self.ledger is not None
        self.queued.append(self.ledger.items.count_by_state().get(State.QUEUED, 0))
        return super().send(item_id)


def test_work_on_an_archive_begins_with_its_first_file(make_service: ServiceFactory) -> None:
    wake_ups, count = Counting(), 60
    service = make_service(wake_ups=wake_ups)
    wake_ups.ledger = service.ledger
    data = zipped({f"{n}.png": picture(size=(20 + n, 20)) for n in range(count)})
    told = lines(send(service, made(service), data))
    assert told[-1] == {"accepted": count, "refused": 0}
    assert wake_ups.queued[0] < count / 2, "the rest is still to come"


def test_only_a_few_archives_are_taken_in_at_a_time(service: Service) -> None:
    batch, data = made(service), zipped({"a.png": PHOTO})
    with ExitStack() as others:
        for _ in range(MAX_BODIES // 2):
            others.enter_context(service.app.state.services.admission.body_slot("default"))
        assert_problem(send(service, batch, data), "queue_full")
        others.enter_context(service.app.state.services.admission.body_slot("bob"))
    for _ in range(2 * MAX_BODIES):
        assert lines(send(service, batch, data))[-1]["accepted"] == 1
        assert_problem(send(service, batch, b"nonsense"), "corrupt")


def test_items_are_listed_page_by_page(service: Service) -> None:
    batch = made(service)
    ids = [service.upload(params={"batch": batch["id"]}).json()["id"] for _ in range(5)]
    seen, more = [], {"limit": 2}
    while True:
        page = service.client.get(batch["links"]["images"], params=more).json()
        seen += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        more = {"limit": 2, "cursor": page["next"]}
    assert seen == ids
    done = service.client.get(batch["links"]["images"], params={"state": "succeeded"}).json()
    assert done == {"items": [], "next": None}
    for wrong in ({"cursor": "x"}, {"limit": 0}, {"limit": 501}, {"state": "lost"}):
        assert_problem(service.client.get(batch["links"]["images"], params=wrong), "invalid_option")


def test_a_cancelled_batch_keeps_what_is_done(service: Service) -> None:
    batch = made(service)
    own = {"batch": batch["id"]}
    first = service.upload(params=own).json()["id"]
    worked_off(service)
    second = service.upload(params=own).json()["id"]
    stands = service.client.post(f"{batch['links']['self']}/cancel").json()
    assert stands["counts"] == {"succeeded": 1, "canceled": 1}
    assert service.client.get(f"/v1/images/{first}/content").status_code == 200
    assert_problem(service.client.get(f"/v1/images/{second}/content"), "not_ready")
    assert not [key for key in service.kept() if second in key]


def fail(service: Service, code: str) -> list[str]:
    """Everything queued fails; the ids."""
    items = service.ledger.items.claim(limit=99, max_megapixels=99, lease=timedelta(hours=1))
    service.ledger.items.fail(
        str(items[0].lease_token), [Failure(item.id, code, "It went wrong.") for item in items]
    )
    return [item.id for item in items]


def test_what_failed_by_our_fault_is_tried_again_and_nothing_else(service: Service) -> None:
    batch = made(service)
    send(service, batch, zipped({"a.png": picture(), "b.png": picture(size=(50, 50))}))
    lost = fail(service, "worker_lost")
    send(service, batch, zipped({"bad.png": picture()}))
    (bad,) = fail(service, "corrupt")
    retry = f"{batch['links']['self']}/retry"
    for _ in range(2):
        answer = service.client.post(retry)
        assert (answer.status_code, answer.json()["total"]) == (200, 3)
        assert answer.json()["counts"] == {"queued": 2, "failed": 1}
    worked_off(service)
    results = lines(service.client.get(f"{batch['links']['self']}/results"))[:3]
    assert {one["file"]: one["state"] for one in results} == {
        "a.png": "succeeded", "b.png": "succeeded", "bad.png": "failed"
    }  # fmt: skip
    assert bad in {one["id"] for one in results}
    assert not {one["id"] for one in results} & set(lost)
    assert not [key for key in service.kept() if any(item_id in key for item_id in lost)]


def test_what_is_gone_is_not_tried_again(service: Service) -> None:
    batch = made(service)
    send(service, batch, zipped({"a.png": picture()}))
    (lost,) = fail(service, "worker_lost")
    service.store.delete(original_key("default", lost))
    answer = service.client.post(f"{batch['links']['self']}/retry")
    assert answer.json()["counts"] == {"failed": 1}


def test_what_a_batch_holds_its_tenant_alone_may_add_to(make_service: ServiceFactory) -> None:
    service = make_service(http_require_keys=True)
    keys = {}
    for tenant in ("alice", "bob"):
        minted = api_keys.generate(PEPPER)
        service.ledger.api_keys.add(minted, tenant, "test", TENANT_SCOPES, None)
        keys[tenant] = {"X-API-Key": minted.text}
    batch = service.client.post("/v1/batches", json={}, headers=keys["alice"]).json()
    answer = service.upload(params={"batch": batch["id"]}, headers=keys["bob"])
    assert_problem(answer, "not_found")
    assert service.kept() == []


@given(st.integers(0, 10**18 - 1))
def test_a_cursor_leads_back(seq: int) -> None:
    assert decode_cursor(encode_cursor(seq)) == seq


@given(st.text(max_size=30))
def test_no_cursor_does_harm(text: str) -> None:
    with contextlib.suppress(BadInput):
        assert decode_cursor(text) >= 0


@given(st.text(max_size=80))
def test_no_path_leads_anywhere_else(name: str) -> None:
    path = filenames.clean_path(name)
    if path is not None:
        assert not path.startswith("/")
        assert not {"", ".", ".."} & set(path.split("/"))
        assert "\\" not in path


@pytest.mark.parametrize(
    ("name", "path"),
    [("../../etc/passwd", "etc/passwd"), ("/a/b.png", "a/b.png"), ("a\\b.png", "a/b.png"),
     ("C:\\x\\y.png", "C:/x/y.png"), ("..", None), ("a/./b//c.png", "a/b/c.png")],
)  # fmt: skip
def test_paths_become_words(name: str, path: str | None) -> None:
    assert filenames.clean_path(name) == path


@pytest.mark.parametrize("body", [[], ["-d", ""], ["-H", "Content-Type: application/json"]])
def test_the_readmes_way_into_a_batch(service: Service, tmp_path: Path, body: list[str]) -> None:
    """As curl asks: without a body a batch is empty, and each photo has a name of its own."""

    def curl(*arguments: str) -> str:
        run = subprocess.run(
            ["curl", "-sS", *arguments], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return run.stdout

    batch = json.loads(curl("-X", "POST", f"{service.url}/v1/batches?label=cat", *body))
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(PHOTO)
        curl("-F", f"file=@{name}", f"{service.url}/v1/images?batch={batch['id']}")
    while work(service):
        pass
    items = json.loads(curl(f"{service.url}/v1/batches/{batch['id']}/images"))["items"]
    for item in items:
        assert item["options"]["label"] == "cat"
        curl("-OJ", f"{service.url}/v1/images/{item['id']}/content")
    assert {path.name for path in tmp_path.glob("*-protected.png")} == {
        "a-protected.png", "b-protected.png"
    }  # fmt: skip
