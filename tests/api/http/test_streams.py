"""A slow store: who waits for it, and who does not."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from anyio import to_thread

from photoward.api.http import app
from photoward.api.http.routes import operations
from tests.api.http.service import picture, work
from tests.api.http.test_batches import zipped
from tests.support.beside import beside

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.http.conftest import ServiceFactory
    from tests.api.http.service import Service

FEW = 5
"""Threads, in place of forty."""
CROWD = FEW + 3
SOON_S = 1.0
METHODS = ("put", "get", "stream", "delete", "check")


class Held:
    """The store's methods, none of which answers until it is let go."""

    def __init__(self, service: Service) -> None:
        self.let_go = threading.Event()
        self.waiting = 0
        for name in METHODS:
            setattr(service.store, name, self._held(getattr(service.store, name)))

    def _held(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def called(*given: object, **more: object) -> object:
            self.waiting += 1
            self.let_go.wait(30)
            return method(*given, **more)

        return called


def batched(service: Service) -> str:
    """A batch's path; it has a photo."""
    batch: str = service.client.post("/v1/batches", json={}).json()["links"]["self"]
    service.upload(params={"batch": batch.rpartition("/")[2]})
    return batch


def upload(service: Service) -> str:
    answer = service.client.post("/v1/uploads", json={"bytes": 9})
    return f"/v1/uploads/{answer.json()['id']}"


WAYS: dict[str, tuple[str, str]] = {
    "download": ("GET", "{image}/content"), "delete": ("DELETE", "{image}"),
    "zip": ("GET", "{batch}/archive"), "retry": ("POST", "{batch}/retry"),
    "cancel": ("POST", "{batch}/cancel"), "remove": ("DELETE", "{upload}"),
    "hand in": ("POST", "/v1/images"), "put": ("PUT", "{upload}/content"),
    "use": ("POST", "/v1/images"), "unpack": ("POST", "{batch}/archive"),
    "at once": ("POST", "/v1/protect"),
}  # fmt: skip
BODIES: dict[str, tuple[bytes, str]] = {
    "hand in": (picture(), "image/png"), "at once": (picture(), "image/png"),
    "put": (b"the whole", "application/octet-stream"),
    "unpack": (zipped({"a.png": picture()}), "application/zip"),
}  # fmt: skip


@pytest.fixture
def asked(make_service: ServiceFactory, monkeypatch: pytest.MonkeyPatch) -> Service:
    monkeypatch.setattr(operations, "CHECK_TIMEOUT_S", 0.3)
    monkeypatch.setattr(app, "MAX_STORE_CALLS", FEW)
    service = make_service(http_max_wait_seconds=0.1)

    async def shrink() -> None:
        to_thread.current_default_thread_limiter().total_tokens = FEW

    service.app.add_api_route("/shrink", shrink)
    assert service.client.get("/shrink").is_success
    return service


@pytest.mark.parametrize("way", WAYS)
def test_who_waits_for_the_store_keeps_nobody_from_asking_the_ledger(
    way: str, asked: Service
) -> None:
    images = [asked.upload().headers["Location"] for _ in range(CROWD)]
    while work(asked):
        """Until all are done."""
    state = asked.upload().headers["Location"]
    places = [
        {"image": image, "batch": batched(asked), "upload": upload(asked)} for image in images
    ]
    if way in {"zip", "retry"}:
        while work(asked):
            """Until there is something in each."""
    method, path = WAYS[way]
    content, kind = BODIES.get(way, (b"", ""))
    held = Held(asked)

    def crowd(_: threading.Event, at: int) -> None:
        place = path.format(**places[at % len(places)])
        named = {"upload": places[at % len(places)]["upload"].rpartition("/")[2]}
        given: dict[str, Any] = {"json": named} if way == "use" else {"content": content}
        headers = {"Content-Type": kind} if kind else {}
        asked.client.request(method, place, headers=headers, timeout=60, **given)

    with ExitStack() as closing:
        for at in range(CROWD):
            closing.enter_context(beside(partial(crowd, at=at)))
        closing.callback(held.let_go.set)
        time.sleep(SOON_S / 2)  # until all wait
        with httpx.Client(base_url=asked.url) as client:
            took = []
            for _ in range(3):
                began = time.monotonic()
                assert client.get(state).status_code == 200
                took.append(time.monotonic() - began)
            assert min(took) < SOON_S
            for _ in range(3):
                answer = client.get("/readyz")
                assert answer.json()["detail"] == "Unavailable: store, worker.", "not the ledger"
