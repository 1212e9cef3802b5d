"""The production deployment of docker-compose.yml, as plain processes."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest
from PIL import Image

from photoward.api.cli.client import Client, Refusal
from tests.core.imaging.pictures import file, smooth
from tests.support.faults import until
from tests.support.loopback import programs
from tests.support.loopback.composition import FILE, services
from tests.support.samples import noisy_png
from tests.support.servers import missing, short_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STOP_S = 90.0
SIZE = (40, 30)
PHOTO = file(smooth(SIZE))


@dataclass(frozen=True)
class Deployment:
    url: str
    key: str
    runner: psutil.Process

    def family(self) -> list[psutil.Process]:
        found: list[psutil.Process] = self.runner.children(recursive=True)
        return found

    def running(self, *end: str) -> list[psutil.Process]:
        """The processes whose command line ends so."""
        return [one for one in self.family() if tuple(one.cmdline()[-len(end) :]) == end]


@contextmanager
def deployed(state: Path) -> Iterator[Deployment]:
    """``make stack`` on a folder; afterwards nothing of it may be left running."""
    runner = subprocess.Popen(
        [sys.executable, "-m", "tests.support.loopback", "--state", state, "--port", "0"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(FILE.parent), *sys.path])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert runner.stdout
    said, family = "", []
    try:
        while "ready: " not in said and (line := runner.stdout.readline()):
            said += line
        assert "ready: " in said, said
        url, key = said.split("ready: ")[1].split()[0], (state / "key").read_text().strip()
        made = Deployment(url, key, psutil.Process(runner.pid))
        yield made
        family = made.family()
    finally:
        runner.send_signal(signal.SIGINT)
        rest, _ = runner.communicate(timeout=STOP_S)
    assert family
    _, alive = psutil.wait_procs(family, timeout=2)
    assert not alive, [one.cmdline() for one in alive]
    assert runner.returncode == 0, rest
    assert "has stopped" in rest


@pytest.mark.slow
def test_the_deployment_protects_photos_for_who_has_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for service in services({}, ("cpu",)):
        if not programs.installed(service.image):
            missing(f"a program of {service.image}")
    with short_folder() as state, deployed(state) as stack:
        assert httpx.get(f"{stack.url}/readyz").json()["status"] == "ready"
        assert httpx.get(f"{stack.url}/metrics").status_code == 404, "not even with a key"
        with Client(stack.url) as client, pytest.raises(Refusal) as refused:
            client.submit(PHOTO, "image/png")
        assert refused.value.status == 401
        monkeypatch.setenv("PHOTOWARD_API_KEY", stack.key)
        assert_photos_come_back(stack, 4)
        assert_an_upload_goes_on_after_its_line_broke(stack)
        assert len(stack.running("serve")) == 2
        assert "Start Seaweed" in (state / "logs/seaweedfs-1.log").read_text(), "as an engine keeps"
        assert_only_loopback_is_listened_on(stack)
        face = stack.running("serve")[0]
        face.kill()
        face.wait(5)  # what it was about to answer is lost, and told as 503
        assert_photos_come_back(stack, 2)


def assert_photos_come_back(stack: Deployment, count: int) -> None:
    with Client(stack.url) as client:
        ids = [client.submit(PHOTO, "image/png", label="cat")["id"] for _ in range(count)]
        for item_id in ids:
            assert client.ended(item_id, 60)["state"] == "succeeded"
            protected = client.content(item_id)
            assert protected != PHOTO
            with Image.open(io.BytesIO(protected)) as picture:
                assert (picture.format, picture.size) == ("PNG", SIZE)


def assert_an_upload_goes_on_after_its_line_broke(stack: Deployment) -> None:
    """Through nginx, at whichever face: what came before the break is kept."""
    key = {"X-API-Key": stack.key, "Tus-Resumable": "1.0.0"}
    part = key | {"Content-Type": "application/offset+octet-stream"}
    photo = noisy_png(1, 300)
    half = len(photo) // 2
    with httpx.Client(base_url=stack.url, headers=key, timeout=30) as client:
        begun = client.post("/v1/uploads", headers={"Upload-Length": str(len(photo))})
        place = begun.headers["Location"]
        head = part | {"Host": "test", "Upload-Offset": "0", "Content-Length": str(len(photo))}
        lines = [f"PATCH {place} HTTP/1.1", *(f"{one}: {told}" for one, told in head.items())]
        with socket.create_connection((client.base_url.host, client.base_url.port)) as wire:
            wire.sendall("\r\n".join([*lines, "", ""]).encode() + photo[:half])
            time.sleep(0.5)  # it has arrived before the line breaks
        until(lambda: client.head(place).headers["Upload-Offset"] == str(half))
        for at in range(half, len(photo), 50_000):
            headers = part | {"Upload-Offset": str(at)}
            client.patch(place, headers=headers, content=photo[at : at + 50_000]).raise_for_status()
        item = client.post("/v1/images", json={"upload": place.rpartition("/")[2]}).json()
    with Client(stack.url) as caller:
        assert caller.ended(item["id"], 60)["state"] == "succeeded"


def assert_only_loopback_is_listened_on(stack: Deployment) -> None:
    listening = [
        (one.cmdline()[0], at.laddr.ip)
        for one in stack.family()
        for at in one.net_connections("inet")
        if at.status == psutil.CONN_LISTEN
    ]
    assert len(listening) > 10
    assert {address for _, address in listening} == {"127.0.0.1"}, listening
