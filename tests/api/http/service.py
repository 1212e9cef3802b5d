"""The HTTP face on a real port over a real ledger and store, and a worker that needs no network."""

from __future__ import annotations

import hashlib
import io
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import uvicorn
from PIL import Image, ImageOps

from photoward.api.http.app import create_app
from photoward.api.http.server.header_timeout import HeaderTimeoutProtocol
from photoward.core import key_derivation
from photoward.core.catalogue import Catalogue, SurrogateCard
from photoward.core.errors import Unavailable
from photoward.core.imaging.header import READ_ONLY
from photoward.core.jobs import Failure, Output, Rendition, Result
from photoward.core.ledger import open_ledger
from photoward.core.networks import SetCard
from photoward.core.object_keys import original_key, output_key, output_keys
from photoward.core.settings import Settings
from photoward.core.storage import open_store
from tests.support.beside import beside

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fastapi import FastAPI

    from photoward.core.jobs import Item
    from photoward.core.ledger import Ledger
    from photoward.core.queue import WakeUpSender
    from photoward.core.storage import ObjectStore

PSNR_DB, SSIM = 38.2, 0.987
MASTER = bytes(range(32))
PEPPER = key_derivation.pepper(MASTER)


class Recorded:
    """WakeUpSender that remember, or that are slow or away."""

    def __init__(self, *, delay_s: float = 0, up: bool = True) -> None:
        self.items: list[str] = []
        self.delay_s = delay_s
        self.up = up

    def send(self, item_id: str) -> bool:
        time.sleep(self.delay_s)
        self.items.append(item_id)
        return self.up

    def check(self) -> None:
        if not self.up:
            raise Unavailable("The broker is away.")


def card(name: str = "test") -> SurrogateCard:
    return SurrogateCard(
        name=name, architecture="resnet18", width=8, size=32, classes=["cat", "dog"],
        feature_dim=64, sha256="0" * 64, data="none", recipe={}, figures={}, seconds=1.0,
        hardware="none", versions={}, licence="CC0",
    )  # fmt: skip


def picture(
    kind: str = "PNG",
    size: tuple[int, int] = (40, 30),
    **more: Any,  # noqa: ANN401  # whatever Pillow takes
) -> bytes:
    columns, rows = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    pixels = np.stack([columns % 256, rows % 256, (columns + rows) % 256], axis=-1)
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, kind, **more)
    return buffer.getvalue()


@dataclass
class Service:
    url: str
    app: FastAPI
    settings: Settings
    ledger: Ledger
    store: ObjectStore
    wake_ups: WakeUpSender
    client: httpx.Client = field(repr=False)

    def upload(
        self,
        data: bytes | None = None,
        **more: Any,  # noqa: ANN401  # whatever httpx takes
    ) -> httpx.Response:
        headers = {"Content-Type": "image/png", **more.pop("headers", {})}
        body = picture() if data is None else data
        return self.client.post("/v1/images", content=body, headers=headers, **more)

    def kept(self) -> list[str]:
        return [key for key, _age in self.store.keys("")]

    def address(self) -> tuple[str, int]:
        parsed = httpx.URL(self.url)
        return parsed.host, parsed.port or 80


@contextmanager
def serving(
    folder: Path,
    **more: Any,  # noqa: ANN401  # the adapters, and any setting
) -> Iterator[Service]:
    """A service on a free port; ``wake_ups``, ``ledger`` and ``store`` can be given."""
    given = {name: more.pop(name, None) for name in ("wake_ups", "ledger", "store")}
    settings = Settings(data_dir=folder, engine_surrogate="test", **more)
    ledger = given["ledger"] or open_ledger(settings)
    store = given["store"] or open_store(settings)
    wake_ups = given["wake_ups"] or Recorded()
    sets = {"imagenet": SetCard(name="imagenet", networks=["small"], per_step=1)}
    catalogue = Catalogue({"test": card()}, "test", sets=sets, default_method="sem")
    app = create_app(
        settings, ledger=ledger, store=store, wake_ups=wake_ups, catalogue=catalogue, master=MASTER
    )
    with listening(app) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield Service(url, app, settings, ledger, store, wake_ups, client)
    ledger.close()


@contextmanager
def listening(app: FastAPI) -> Iterator[str]:
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            port=0,
            http=HeaderTimeoutProtocol,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=3,
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 10
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.005)
        host, port = server.servers[0].sockets[0].getsockname()
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        thread.join()


def work(service: Service) -> int:
    """Protect what is queued with a noise that any eye can check; how many items ended."""
    items = service.ledger.items.claim(limit=8, max_megapixels=50, lease=timedelta(seconds=60))
    for item in items:
        result = _protected(service.store, item)
        assert item.lease_token is not None
        if isinstance(result, Failure):
            service.ledger.items.fail(item.lease_token, [result])
        else:
            service.ledger.items.complete(item.lease_token, [result])
    return len(items)


@contextmanager
def working(service: Service) -> Iterator[None]:
    """A worker in a thread, until the end of the block."""

    def loop(stop: threading.Event) -> None:
        while not stop.is_set():
            if not work(service):
                stop.wait(0.02)

    with beside(loop):
        yield


def _protected(store: ObjectStore, item: Item) -> Result | Failure:
    data = store.get(original_key(item.tenant, item.id))
    try:
        upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    except OSError:
        return Failure(item.id, "corrupt", "The picture could not be decoded.")
    if item.source.protected:
        store.put(output_key(item.tenant, item.id), data, create_only=True)
        same = Output(item.source.sha256, item.source.size, item.source.media_type)
        return Result(item.id, same, label_used=None, label_source=None, measured={})
    own = item.source.media_type.removeprefix("image/")
    kind = item.options.output_format or READ_ONLY.get(own, own)
    measured = {
        "visibility": 1.26, "linf": item.options.epsilon, "psnr_db": PSNR_DB, "ssim": SSIM
    }  # fmt: skip
    files = []
    keys = output_keys(item).values()
    for one, key in zip(item.options.placements(*upright.size), keys, strict=True):
        own_kind = one.format or kind
        small = upright.resize(one.size, box=one.box)
        made = _noisy(small, item.options.epsilon or 0, own_kind)
        store.put(key, made, create_only=True)
        digest = hashlib.sha256(made).hexdigest()
        files.append(Rendition(*one.size, digest, len(made), measured, f"image/{own_kind}"))
    first, *further = files
    return Result(
        item_id=item.id,
        output=Output(first.sha256, first.size, first.media_type, tuple(further)),
        label_used=item.options.label or "cat",
        label_source="given" if item.options.label else "predicted",
        measured=measured,
    )


def _noisy(picture: Image.Image, epsilon: float, kind: str) -> bytes:
    pixels = np.asarray(picture, np.int16)
    step = max(1, min(pixels.shape[:2]) // 16)
    board = (np.indices(pixels.shape[:2]) // step).sum(0) % 2 * 2 - 1
    changed = np.clip(pixels + (board * epsilon)[..., None], 0, 255)
    buffer = io.BytesIO()
    Image.fromarray(changed.astype(np.uint8)).save(buffer, kind, quality=95)
    return buffer.getvalue()
