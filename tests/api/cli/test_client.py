"""The REST client of demo and benchmarks, against a real service."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from photoward.api.cli import client as module
from photoward.api.cli.client import Client, Clients, Refusal
from photoward.core import access
from photoward.core.access import USUAL
from photoward.core.errors import Unavailable
from tests.api.http.service import PEPPER, Service, picture, serving, working

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("service")) as made:
        yield made


def test_in_and_out_again(service: Service) -> None:
    with Client(service.url) as client, working(service):
        item = client.submit(picture(), "image/png", wait_s=20, label="my cat", preset=None)
        assert (item["state"], item["label_used"]) == ("done", "my cat")
        assert client.content(item["id"]).startswith(b"\x89PNG")
        client.delete(item["id"])
        with pytest.raises(Refusal) as caught:
            client.item(item["id"])
    assert (caught.value.status, caught.value.problem["code"]) == (404, "not_found")


def test_without_a_wait_the_end_is_asked_for(service: Service) -> None:
    with Client(service.url) as client:
        item = client.submit(picture(), "image/png")
        assert item["state"] == "queued"
        with pytest.raises(Unavailable, match="has not ended"):
            client.ended(item["id"], timeout_s=0.1)
        with working(service):
            assert client.ended(item["id"])["state"] == "done"


def test_a_key_in_the_environment_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(tmp_path, require_keys=True) as service:
        minted = access.mint(PEPPER)
        service.ledger.add_key(minted, "alice", "test", USUAL, None)
        with Client(service.url) as stranger, pytest.raises(Refusal) as caught:
            stranger.submit(picture(), "image/png")
        assert caught.value.status == 401
        monkeypatch.setenv("PHOTOWARD_API_KEY", minted.text)
        with Client(service.url) as client:
            assert client.submit(picture(), "image/png")["state"] == "queued"


def test_a_refusal_says_why(service: Service) -> None:
    with Client(service.url) as client, pytest.raises(Refusal, match="not_an_image") as caught:
        client.submit(b"no picture, for all that is known of them", "application/octet-stream")
    assert caught.value.status == 415


def test_a_connection_that_rested_is_not_used_again(
    service: Service, connections: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Client(service.url) as client:
        for _ in range(3):
            client._exchange("GET", "/livez")
        assert len(connections) == 1
        monkeypatch.setattr(module, "IDLE_S", 0.05)
        time.sleep(0.1)
        client._exchange("GET", "/livez")
        assert len(connections) == 2


def test_no_two_have_one_client_at_once(service: Service, connections: list[object]) -> None:
    with closing(Clients(service.url)) as clients:
        with clients.one() as one, clients.one() as other:
            assert one is not other
            for client in (one, other):
                client._exchange("GET", "/livez")
        with clients.one() as again:
            again._exchange("GET", "/livez")
    assert len(connections) == 2


def test_nobody_there_is_no_refusal() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    with Client(f"http://127.0.0.1:{port}") as client, pytest.raises(Unavailable, match="reached"):
        client.item("x")


def test_an_answer_that_is_no_problem_is_quoted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:

        def answer() -> None:
            caller, _ = door.accept()
            with caller:
                caller.recv(4096)
                caller.sendall(b"HTTP/1.1 502 Bad\r\nContent-Length: 5\r\n\r\nnginx")

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"http://127.0.0.1:{door.getsockname()[1]}"
        with Client(url) as client, pytest.raises(Refusal, match=r"502.*nginx"):
            client.item("x")
        thread.join()
