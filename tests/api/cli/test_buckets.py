"""``photoward sync`` over a real S3 service: one output for each version of a photo."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import obstore
import pytest

from photoward.api.cli import main
from photoward.api.cli.files.locations import SOURCE_VERSION, Bucket
from photoward.core.jobs import Failure
from photoward.core.settings import Settings
from photoward.core.storage.factory import open_bucket
from tests.api.http.service import Service, picture, serving, working
from tests.core.imaging.pictures import reopened
from tests.support.servers import S3_BUCKET, S3_KEYS, free_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from obstore.store import S3Store

NAMES = ("cats/1.png", "cats/ü #2.jpg", "dogs/1.png")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with serving(tmp_path / "service") as made, working(made):
        yield made


@pytest.fixture
def prefix(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    for name, value in S3_KEYS.items():
        monkeypatch.setenv(name, value)
    return secrets.token_hex(8)


@pytest.fixture
def inbox(prefix: str) -> S3Store:
    store = open_bucket(S3_BUCKET, f"{prefix}/in", endpoint=Settings().s3_endpoint_url)
    for name in NAMES:
        put(store, name, "JPEG" if name.endswith("jpg") else "PNG")
    return store


@pytest.fixture
def outbox(prefix: str) -> S3Store:
    return open_bucket(S3_BUCKET, f"{prefix}/out", endpoint=Settings().s3_endpoint_url)


def put(store: S3Store, name: str, kind: str = "PNG", size: tuple[int, int] = (40, 30)) -> None:
    obstore.put(store, name, picture(kind, size=size), use_multipart=False)


def marks(store: S3Store) -> dict[str, tuple[str, object]]:
    """What lies there: which version, and when it was written."""
    return {
        meta["path"]: (str(meta["e_tag"]), meta["last_modified"])
        for page in obstore.list(store)
        for meta in page
    }


def arguments(prefix: str, service: Service, *further: str) -> list[str]:
    places = (f"s3://{S3_BUCKET}/{prefix}/{name}" for name in ("in", "out"))
    return ["sync", *places, "--url", service.url, *further]


def run(prefix: str, service: Service, *further: str) -> object:
    with pytest.raises(SystemExit) as caught:
        main(arguments(prefix, service, *further))
    return caught.value.code


@contextmanager
def started(wanted: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "photoward.api.cli", *wanted]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=os.environ.copy())
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(condition: Callable[[], Any], within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_bucket_comes_back_in_another_and_says_from_what(
    service: Service, prefix: str, inbox: S3Store, outbox: S3Store
) -> None:
    obstore.put(inbox, "notes.txt", b"no picture")
    assert run(prefix, service, "--labels-from-folders") == 0
    assert marks(outbox).keys() == set(NAMES)
    for name, (version, _) in marks(inbox).items():
        if name in NAMES:
            found = obstore.get(outbox, name)
            kind = "jpeg" if name.endswith("jpg") else "png"
            assert found.attributes["Content-Type"] == f"image/{kind}"
            assert found.attributes[SOURCE_VERSION] == version.strip('"')
            assert reopened(found.bytes().to_bytes()).size == (40, 30)
    assert service.ledger.items.count_by_state() == {}


def test_only_what_is_new_or_replaced_is_done_again(
    service: Service,
    prefix: str,
    inbox: S3Store,
    outbox: S3Store,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(prefix, service) == 0
    first = marks(outbox)
    put(inbox, "cats/1.png", size=(60, 50))
    put(inbox, "dogs/2.png")
    obstore.put(inbox, "dogs/1.png", obstore.get(inbox, "dogs/1.png").bytes())  # the same again
    capsys.readouterr()
    assert run(prefix, service) == 0
    assert "2 protected, 0 refused, 2 already there" in " ".join(capsys.readouterr().err.split())
    second = marks(outbox)
    assert reopened(obstore.get(outbox, "cats/1.png").bytes().to_bytes()).size == (60, 50)
    assert {name for name in first if first[name] == second[name]} == set(NAMES) - {"cats/1.png"}


def test_an_interrupted_run_goes_on_without_sending_anything_twice(
    tmp_path: Path, prefix: str, inbox: S3Store, outbox: S3Store
) -> None:
    del inbox
    with serving(tmp_path / "slow") as service:
        with started(arguments(prefix, service)) as process:
            until(lambda: sum(service.ledger.items.count_by_state().values()) == len(NAMES))
            process.send_signal(signal.SIGINT)
            assert process.wait(5) == -signal.SIGINT
        with working(service):
            assert run(prefix, service) == 0
        handed_in = service.ledger.tenants.usage("default").megapixels
    assert handed_in == pytest.approx(len(NAMES) * 40 * 30 / 1e6)
    assert marks(outbox).keys() == set(NAMES)


def test_what_failed_is_tried_again_by_the_next_run(
    service: Service, prefix: str, inbox: S3Store, outbox: S3Store
) -> None:
    broken = picture(size=(400, 300))[:-500]
    obstore.put(inbox, "cats/broken.png", broken)
    for _ in range(2):
        assert run(prefix, service, "--keep") == 1
    assert marks(outbox).keys() == set(NAMES)
    assert service.ledger.items.count_by_state() == {"done": 3, "failed": 1}
    assert service.ledger.tenants.usage("default").megapixels == pytest.approx(
        (3 * 1200 + 240_000) / 1e6
    )


def test_what_fails_by_the_services_fault_is_sent_again(
    tmp_path: Path, prefix: str, inbox: S3Store, outbox: S3Store
) -> None:
    del inbox
    with serving(tmp_path / "unlucky") as service:
        ended = threading.Event()

        def work_badly() -> None:
            while not ended.is_set():
                items = service.ledger.items.claim(
                    limit=9, max_megapixels=9, lease=timedelta(hours=1)
                )
                of_us = [item for item in items if item.source.filename == "1.png"]
                failures = [
                    Failure(item.id, "worker_lost", "It outlived three workers.") for item in of_us
                ]
                if items:
                    service.ledger.items.fail(str(items[0].lease_token), failures)
                    service.ledger.items.release(str(items[0].lease_token))
                lost.extend(item.id for item in of_us)
                if len(lost) >= 2:  # of cats and dogs
                    return

        lost: list[str] = []
        unlucky = threading.Thread(target=work_badly)
        unlucky.start()
        with started(arguments(prefix, service)) as process:
            unlucky.join(60)
            ended.set()
            assert len(lost) >= 2  # each of both, perhaps twice
            with working(service):
                assert process.wait(60) == 0
        assert marks(outbox).keys() == set(NAMES)
        assert service.ledger.items.count_by_state() == {}


def test_one_photo_that_is_gone_does_not_stop_the_rest(
    service: Service, prefix: str, inbox: S3Store, outbox: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    del inbox
    read = Bucket.read

    def gone(self: Bucket, name: str) -> bytes:
        return read(self, "dogs/none.png" if name == "dogs/1.png" else name)

    monkeypatch.setattr(Bucket, "read", gone)
    assert run(prefix, service) == 1
    assert marks(outbox).keys() == set(NAMES) - {"dogs/1.png"}


EVENTS = {
    "aws": {"Records": [{"eventName": "ObjectCreated:Put", "s3": {"object": {"key": "in/a.png"}}}]},
    "filer": {"key": "/buckets/photoward/in/a.png", "event_type": "create"},
    "nothing": {},
}


def test_events_of_any_store_bring_each_version_once(
    service: Service, prefix: str, inbox: S3Store, outbox: S3Store
) -> None:
    port = free_ports(1)[0]
    watching = ("--watch", "--every", "600", "--listen", f"127.0.0.1:{port}")
    with started(arguments(prefix, service, *watching)):
        until(lambda: marks(outbox).keys() == set(NAMES))
        first = marks(outbox)
        for side, event in enumerate(EVENTS.values(), 50):
            put(inbox, "new/a.png", size=(side, side))
            version = marks(inbox)["new/a.png"][0].strip('"')
            answer = httpx.post(f"http://127.0.0.1:{port}/", content=json.dumps(event))
            assert answer.status_code == 204
            until(lambda v=version: made_from(outbox, "new/a.png") == v)  # type: ignore[misc]  # bound default
        assert {name: marks(outbox)[name] for name in NAMES} == first
    handed_in = service.ledger.tenants.usage("default").megapixels
    assert handed_in == pytest.approx((3 * 1200 + 50**2 + 51**2 + 52**2) / 1e6)


def made_from(store: S3Store, name: str) -> object:
    try:
        return obstore.get(store, name, options={"head": True}).attributes.get(SOURCE_VERSION)
    except FileNotFoundError:
        return None


def test_without_events_a_watch_looks_from_time_to_time(
    service: Service, prefix: str, inbox: S3Store, outbox: S3Store
) -> None:
    with started(arguments(prefix, service, "--watch", "--every", "0.3")):
        until(lambda: marks(outbox).keys() == set(NAMES))
        put(inbox, "dogs/3.png")
        until(lambda: "dogs/3.png" in marks(outbox))


@pytest.mark.parametrize(
    "further",
    [("--listen", "127.0.0.1:80"), ("--watch", "--listen", "nowhere"), ("--preset", "brutal")],
)
def test_what_cannot_be_is_said(
    service: Service,
    prefix: str,
    inbox: S3Store,
    further: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
) -> None:
    del inbox
    assert run(prefix, service, *further) == 2
    assert capsys.readouterr().err
    assert service.kept() == []


@pytest.mark.parametrize("source", ["ftp://x/y", "s3://", "http://x"])
def test_other_places_are_refused(
    service: Service, source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["sync", source, str(tmp_path / "out"), "--url", service.url])
    assert caught.value.code == 2
    assert source in capsys.readouterr().err
