"""The client against the running service."""

from __future__ import annotations

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from photoward_client import AsyncClient, Client, RefusedError, UnavailableError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.service import Service

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


def photo(side: int = 96, seed: int = 40) -> bytes:
    file = io.BytesIO()
    Image.effect_noise((side, side), seed).convert("RGB").save(file, "PNG")
    return file.getvalue()


def test_a_photo_comes_back_protected(photoward: Service) -> None:
    sent = photo()
    answer = Client(photoward.url).protect(sent)
    with Image.open(io.BytesIO(answer.content)) as got:
        assert (got.size, got.format) == ((96, 96), "PNG")
    assert answer.headers["content-type"] == "image/png"
    assert answer.content != sent


def test_a_photo_is_submitted_waited_for_fetched_and_deleted(
    photoward: Service, tmp_path: Path
) -> None:
    client = Client(photoward.url)
    path = tmp_path / "café.png"
    path.write_bytes(photo())
    item = client.submit(path, idempotency_key="once", sizes=[64])
    assert client.submit(path, idempotency_key="once", sizes=[64])["id"] == item["id"]
    ended = client.wait(item["id"])
    assert (ended["state"], ended["source"]["filename"]) == ("succeeded", "café.png")
    with Image.open(io.BytesIO(client.download(item["id"], size=64))) as got:
        assert got.size == (64, 64)
    client.delete(item["id"])
    with pytest.raises(RefusedError) as gone:
        client.wait(item["id"])
    assert gone.value.status == 404


def test_a_batch_tells_each_photo_s_end(photoward: Service) -> None:
    photos = [("a.png", photo(seed=10)), ("b.png", b"no picture"), ("c.png", photo(seed=20))]
    ends = dict(Client(photoward.url).batch(photos, name="holiday", label="cat"))
    assert list(ends) == ["a.png", "b.png", "c.png"]
    refusal = ends.pop("b.png")
    assert isinstance(refusal, RefusedError)
    assert refusal.code == "not_an_image"
    for end in ends.values():
        assert isinstance(end, dict)
        assert (end["state"], end["label_used"]) == ("succeeded", "cat")


def test_asyncio_protects_many_at_once(photoward: Service) -> None:
    async def run() -> tuple[list[bytes], list[str]]:
        async with AsyncClient(photoward.url) as client:
            photos = [photo(seed=seed) for seed in range(10, 18)]
            answers = await asyncio.gather(*(client.protect(one) for one in photos))
            names = [name async for name, _ in client.batch([("a.png", photos[0])])]
            return [one.content for one in answers], names

    files, names = asyncio.run(run())
    assert len(set(files)) == 8
    assert names == ["a.png"]


def test_a_service_that_starts_again_is_waited_for(photoward: Service) -> None:
    photoward.server.stop()
    with pytest.raises(UnavailableError):
        Client(photoward.url, retries=1).protect(photo())
    client = Client(photoward.url, timeout_s=240, retries=200)
    with ThreadPoolExecutor(1) as waiting:
        answer = waiting.submit(client.protect, photo())
        photoward.server.start()  # in the test's own thread: the service ends with who started it
        assert answer.result().content
