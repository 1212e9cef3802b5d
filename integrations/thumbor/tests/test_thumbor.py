"""thumbor in its own environment, with the optimizer as its README says."""

from __future__ import annotations

import io
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.support.hosts import environment
from tests.support.servers import Server, free_ports, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.service import Service

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

SIZES = [(40 + 4 * at, 60) for at in range(20)]


@pytest.fixture(scope="module")
def python() -> Path:
    own = ("integrations/clients/python", "integrations/thumbor")
    return environment("thumbor", ("thumbor==7.8.0", "pillow<13"), own)


@contextmanager
def thumbor(python: Path, folder: Path, photoward_url: str | None) -> Iterator[httpx.Client]:
    """thumbor over the folder's originals; without a service as it is before Photoward."""
    (port,) = free_ports(1)
    lines = [
        "LOADER = 'thumbor.loaders.file_loader'",
        f"FILE_LOADER_ROOT_PATH = {str(folder / 'uploads')!r}",
        f"FILE_STORAGE_ROOT_PATH = {str(folder / 'uploads')!r}",
        "RESULT_STORAGE = 'thumbor.result_storages.file_storage'",
        "RESULT_STORAGE_STORES_UNSAFE = True",
        f"RESULT_STORAGE_FILE_STORAGE_ROOT_PATH = {str(folder / 'results')!r}",
        "UPLOAD_ENABLED = UPLOAD_DELETE_ALLOWED = True",
        "UPLOAD_PHOTO_STORAGE = 'thumbor.storages.file_storage'",
    ]
    if photoward_url:
        lines += [
            "OPTIMIZERS = ['photoward_thumbor']",
            "ENGINE_THREADPOOL_SIZE = 20",
            f"PHOTOWARD_URL = {photoward_url!r}",
            "PHOTOWARD_TIMEOUT = 120",
        ]
    (folder / "thumbor.conf").write_text("\n".join(lines))
    url = f"http://127.0.0.1:{port}"
    command = [str(python.with_name("thumbor")), "-p", str(port), "-i", "127.0.0.1", "-c",
               str(folder / "thumbor.conf")]  # fmt: skip
    server = Server(command, folder / "thumbor.log", lambda: _answers(url), start_s=120)
    with running(server), httpx.Client(base_url=url, timeout=240) as client:
        yield client


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthcheck").status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "uploads").mkdir()
    picture = Image.effect_noise((40, 30), 60).convert("RGB").resize((400, 300))
    picture.save(tmp_path / "uploads" / "photo.jpg")
    return tmp_path


def results(folder: Path) -> list[Path]:
    return [one for one in (folder / "results").rglob("*") if one.is_file()]


def change(a: bytes, b: bytes) -> float:
    """The mean change of a channel between two pictures of one size, of 255."""
    with Image.open(io.BytesIO(a)) as one, Image.open(io.BytesIO(b)) as two:
        assert (one.size, one.format) == (two.size, two.format)
        first, second = (np.asarray(x.convert("RGB"), dtype=float) for x in (one, two))
    return float(np.abs(first - second).mean())


def fetch(client: httpx.Client, *paths: str) -> list[bytes]:
    """Pictures that are asked for at the same moment."""
    with ThreadPoolExecutor(len(paths)) as threads:
        answers = list(threads.map(client.get, paths))
    assert [one.status_code for one in answers] == len(paths) * [200]
    return [one.content for one in answers]


def test_the_first_answer_and_every_later_one_are_protected(
    python: Path, folder: Path, photoward: Service, tmp_path_factory: pytest.TempPathFactory
) -> None:
    paths = [f"/unsafe/{w}x{h}/photo.jpg" for w, h in SIZES]
    paths[1] = "/unsafe/80x80/filters:format(webp)/photo.jpg"
    with thumbor(python, folder, photoward.url) as client:
        began = time.monotonic()
        first = fetch(client, *paths)
        print(f"\n20 first requests at once: {time.monotonic() - began:.1f} s")  # noqa: T201
        assert len(results(folder)) == 20
        photoward.server.stop()  # what is stored needs no service
        try:
            assert fetch(client, *paths) == first
            # A new size: nothing is sent and nothing stored.
            answer = client.get("/unsafe/33x33/photo.jpg")
            assert answer.status_code == 500
            assert not answer.headers["content-type"].startswith("image/")
            assert len(results(folder)) == 20
        finally:
            photoward.server.start()
        assert client.get("/unsafe/33x33/photo.jpg").status_code == 200
        assert len(results(folder)) == 21
    assert not photoward.objects()
    plain = tmp_path_factory.mktemp("plain")
    (folder / "uploads").rename(plain / "uploads")
    with thumbor(python, plain, None) as client:
        twins = [client.get(path).content for path in paths]
    changes = [change(a, b) for a, b in zip(first, twins, strict=True)]
    assert min(changes) > 0.3
    assert max(changes) < 20
    assert all(b"DataMining" in one for one in first)


def test_a_deleted_photo_leaves_nothing_at_the_service(
    python: Path, folder: Path, photoward: Service
) -> None:
    data = (folder / "uploads" / "photo.jpg").read_bytes()
    with thumbor(python, folder, photoward.url) as client:
        sent = client.post("/image", content=data, headers={"Content-Type": "image/jpeg"})
        where = sent.headers["location"]
        name = where.removeprefix("/image/")
        assert client.get(f"/unsafe/50x50/{name}").status_code == 200
        assert client.delete(where).status_code == 204
        for one in results(folder):  # as the README says
            one.unlink()
        assert client.get(f"/unsafe/50x50/{name}").status_code == 404
    assert not photoward.objects()


def test_a_photo_that_the_service_refuses_is_not_sent(python: Path, folder: Path) -> None:
    (port,) = free_ports(1)
    with thumbor(python, folder, f"http://127.0.0.1:{port}") as client:
        assert client.get("/unsafe/50x50/photo.jpg").status_code == 500
    assert not results(folder)
    assert "cannot be reached" in (folder / "thumbor.log").read_text()
