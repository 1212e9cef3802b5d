"""Tar archives: taken like zips, and nothing in them is believed or extracted."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photoward.api.ingest.archives import tar as tars
from photoward.api.ingest.archives.base import MANIFEST
from photoward.api.ingest.archives.tar import TarArchive, decompress
from photoward.core.errors import BadInput
from tests.api.http.service import picture, work
from tests.api.http.test_batches import lines, made
from tests.api.http.test_refusals import assert_problem

if TYPE_CHECKING:
    import httpx

    from tests.api.http.conftest import ServiceFactory
    from tests.api.http.service import Service

TAR, GZIP = "application/x-tar", "application/gzip"
PHOTO = picture()


def entry(name: str, kind: bytes = tarfile.REGTYPE, **more: Any) -> tarfile.TarInfo:  # noqa: ANN401  # any field
    info = tarfile.TarInfo(name)
    info.type = kind
    for field, value in more.items():
        setattr(info, field, value)
    return info


def tarred(
    files: dict[str, bytes], *others: tarfile.TarInfo, form: int = tarfile.PAX_FORMAT
) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name, data in files.items():
            archive.addfile(entry(name, size=len(data)), io.BytesIO(data))
        for other in others:
            archive.addfile(other)
    return buffer.getvalue()


def send(
    service: Service, batch: dict[str, Any], data: bytes, kind: str = TAR, **query: bool
) -> httpx.Response:
    return service.client.post(
        f"{batch['links']['self']}/archive", content=data, params=query,
        headers={"Content-Type": kind},
    )  # fmt: skip


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_tar_becomes_items_like_a_zip(form: int, packed: bool, service: Service) -> None:  # noqa: FBT001
    batch = made(service)
    long = "cats/" + "x" * 90 + "/1.png"
    data = tarred(
        {
            long: PHOTO, "dogs/2.png": picture(size=(20, 10)), "notes.txt": b"no picture",
            "._junk": b"junk", "cut.png": PHOTO[:20],
            MANIFEST: b'{"file": "dogs/2.png", "label": "fish"}\n{"file": "gone.png"}\n',
        },
        entry("empty", tarfile.DIRTYPE), form=form,
    )  # fmt: skip
    answer = send(
        service, batch, gzip.compress(data) if packed else data, GZIP if packed else TAR,
        labels_from_folders=True,
    )  # fmt: skip
    told = lines(answer)
    assert told[-1] == {"accepted": 2, "refused": 3}
    codes = {one["file"]: one["problem"]["code"] for one in told[:-1] if "problem" in one}
    assert codes == {"notes.txt": "not_an_image", "cut.png": "truncated",
                     "gone.png": "invalid_option"}  # fmt: skip
    while work(service):
        """Until all are done."""
    results = lines(service.client.get(batch["links"]["results"]))
    assert {one["label_used"] for one in results} == {"x" * 90, "fish"}


def test_what_is_no_plain_file_is_refused_alone(service: Service) -> None:
    others = [
        entry("link.png", tarfile.SYMTYPE, linkname="/etc/passwd"),
        entry("hard.png", tarfile.LNKTYPE, linkname="a.png"),
        entry("device.png", tarfile.CHRTYPE, devmajor=1, devminor=5),
        entry("block.png", tarfile.BLKTYPE), entry("pipe.png", tarfile.FIFOTYPE),
    ]  # fmt: skip
    told = lines(send(service, made(service), tarred({"a.png": PHOTO}, *others)))
    assert told[-1] == {"accepted": 1, "refused": 5}
    assert {one["problem"]["code"] for one in told[1:-1]} == {"unsupported_type"}


def test_a_sparse_file_is_none(service: Service) -> None:
    properties = {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(1 << 40)}
    sparse = entry("a.png", pax_headers=properties)
    told = lines(send(service, made(service), tarred({"b.png": PHOTO}, sparse)))
    assert told[-1] == {"accepted": 1, "refused": 1}
    assert told[1]["problem"]["code"] == "unsupported_type"


def test_names_lead_nowhere(service: Service) -> None:
    batch = made(service)
    data = tarred({
        "../../etc/passwd.png": PHOTO, "/root/a.png": PHOTO, "..": PHOTO, "./here.png": PHOTO,
        "./manifest.ndjson": b'{"file": "here.png", "label": "fish"}', "a/.hidden/b.png": PHOTO,
    })  # fmt: skip
    assert lines(send(service, batch, data))[-1] == {"accepted": 3, "refused": 0}
    items = service.client.get(batch["links"]["images"]).json()["items"]
    assert {one["source"]["filename"]: one["options"]["label"] for one in items} == {
        "etc/passwd.png": None, "root/a.png": None, "here.png": "fish"
    }  # fmt: skip


def lying(size: int) -> bytes:
    """A file that says to be so long and is not."""
    head = bytearray(entry("a.png", size=0).tobuf())
    if size < 0:
        head[124:136] = b"\xff" * 4 + size.to_bytes(8, "big", signed=True)
    else:
        head[124:136] = f"{size:011o}\0".encode()
    head[148:156] = b" " * 8
    head[148:156] = f"{sum(head):06o}\0 ".encode()
    return bytes(head) + bytes(1024)


def global_headers(count: int) -> bytes:
    properties = {f"k{number}": "v" for number in range(count)}
    return tarfile.TarInfo.create_pax_global_header(properties)


BAD = {
    "empty": b"", "nonsense": b"nonsense" * 200, "cut": tarred({"a.png": PHOTO})[:700],
    "cut in a header": tarred({"a.png": PHOTO, "b.png": PHOTO})[:1100],
    "a header of nonsense": tarred({"a.png": PHOTO})[:1024] + b"x" * 1024,
    "too long": lying(5000), "far too long": lying(8**11 - 1), "of a negative length": lying(-512),
    "a long name": tarred({"x" * 70_000: PHOTO}, form=tarfile.GNU_FORMAT),
    "a long property": tarred({}, entry("a", pax_headers={"comment": "x" * 70_000})),
    "many properties": global_headers(200) + tarred({"a.png": PHOTO}),
    "many headers": b"".join([global_headers(1)] * 2000) + tarred({"a.png": PHOTO}),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_good_tar_is_refused(name: str, service: Service) -> None:
    batch = made(service)
    began = time.monotonic()
    assert_problem(send(service, batch, BAD[name]), "corrupt")
    assert time.monotonic() - began < 2
    assert service.client.get(batch["links"]["self"]).json()["total"] == 0


@pytest.mark.parametrize(
    "data", [b"", b"nonsense", gzip.compress(tarred({"a.png": PHOTO}))[:-12], gzip.compress(b"x")],
    ids=["empty", "nonsense", "cut", "no tar"],
)  # fmt: skip
def test_what_is_no_good_gzip_is_refused(data: bytes, service: Service) -> None:
    assert_problem(send(service, made(service), data, GZIP), "corrupt")


def test_a_bomb_goes_off_at_the_limit(make_service: ServiceFactory) -> None:
    service = make_service(upload_max_archive_bytes=2 << 20)
    bomb = gzip.compress(bytes(64 << 20))
    assert len(bomb) < 1 << 20
    assert_problem(send(service, made(service), bomb, GZIP), "body_too_large")


def test_a_bomb_goes_off_long_before_the_limit(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tars, "ALWAYS_ALLOWED", 1 << 20)
    bomb = gzip.compress(bytes(64 << 20))
    began = time.monotonic()
    assert_problem(send(service, made(service), bomb, GZIP), "body_too_large")
    assert time.monotonic() - began < 2
    packed = gzip.compress(tarred({f"{n}.png": PHOTO for n in range(200)}), 9)
    assert lines(send(service, made(service), packed, GZIP))[-1]["accepted"] == 200


def test_names_that_are_no_utf8_are_words_too(service: Service) -> None:
    buffer = io.BytesIO()
    with tarfile.open(
        fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT, encoding="latin-1"
    ) as archive:
        for name in ("a.png", "K\xe4se.png", "c.png"):
            archive.addfile(entry(name, size=len(PHOTO)), io.BytesIO(PHOTO))
    batch = made(service)
    told = lines(send(service, batch, buffer.getvalue()))
    assert [one["file"] for one in told[:-1]] == ["a.png", "Käse.png", "c.png"]
    assert told[-1] == {"accepted": 3, "refused": 0}


def test_it_has_only_so_many_files(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tars, "MAX_MEMBERS", 3)
    batch = made(service)
    three = {f"{n}.png": PHOTO for n in range(3)}
    assert lines(send(service, batch, tarred(three)))[-1]["accepted"] == 3
    assert_problem(send(service, batch, tarred(three | {"4.png": PHOTO})), "body_too_large")
    monkeypatch.setattr(tars, "MAX_DIRECTORY", 10)
    assert_problem(send(service, batch, tarred(three)), "body_too_large")


def test_many_headers_take_little_memory() -> None:
    properties = {f"k{number}": "v" * 300 for number in range(90)}
    data = tarfile.TarInfo.create_pax_global_header(properties)
    data += b"".join(entry(f"{n}.png").tobuf() for n in range(5000)) + bytes(1024)
    tracemalloc.start()
    found = TarArchive(io.BytesIO(data))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(list(found.members())) == 5000
    assert most < 8 << 20


@given(st.binary(max_size=3000), st.integers(0, 2500))
def test_no_tar_breaks_the_reader(noise: bytes, at: int) -> None:
    whole = bytearray(tarred({"a.png": PHOTO, "b/c.png": PHOTO}))
    whole[at : at + len(noise)] = noise
    try:
        archive = TarArchive(io.BytesIO(bytes(whole)))
        for member in archive.members():
            assert sum(map(len, archive.chunks(member.at))) <= len(whole)
        json.dumps([str(line) for line in archive.manifest()])
    except BadInput as error:
        assert error.code == "corrupt"  # noqa: PT017  # either is right


def test_what_is_unpacked_is_gone_when_it_is_refused() -> None:
    with pytest.raises(BadInput):
        decompress(io.BytesIO(gzip.compress(bytes(100))), 99)
    with decompress(io.BytesIO(gzip.compress(bytes(100))), 100) as whole:
        assert whole.tell() == 100
