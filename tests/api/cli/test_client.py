"""The REST client of demo and benchmarks, against a real service."""

from __future__ import annotations

import http.server
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from photoward.api.cli import client as module
from photoward.api.cli.client import Client, Refusal
from photoward.core import api_keys
from photoward.core.api_keys import DEFAULT_SCOPES
from photoward.core.errors import BadInput, Unavailable
from tests.api.http.service import PEPPER, Service, picture, serving, working
from tests.support.sites import own_certificate
from tests.support.sites import serving as serving_page

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
        assert (item["state"], item["label_used"]) == ("succeeded", "my cat")
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
            assert client.ended(item["id"])["state"] == "succeeded"


def test_a_key_in_the_environment_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(tmp_path, http_require_keys=True) as service:
        minted = api_keys.generate(PEPPER)
        service.ledger.api_keys.add(minted, "alice", "test", DEFAULT_SCOPES, None)
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
    monkeypatch.setattr(module, "IDLE_S", 0.5)
    with Client(service.url) as client:
        for _ in range(3):
            client._exchange("GET", "/livez")
        assert len(connections) == 1
        time.sleep(0.6)
        client._exchange("GET", "/livez")
        assert len(connections) == 2


def test_threads_share_a_client_and_its_connections(
    service: Service, connections: list[object]
) -> None:
    with Client(service.url) as client, ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(client._exchange, "GET", "/livez") for _ in range(40)]
        assert {one.result() for one in asked} == {b'{"status":"alive"}'}
    assert len(connections) <= 4


@pytest.mark.parametrize(
    "url",
    [
        "ftp://h",
        "h:8080",
        "127.0.0.1",
        "file:///x",
        "http://",
        "https://:1",
        "http://h:99999",
        "http://u:hunter2@h",
        "http://h/?key=hunter2",
        "http://h#hunter2",
        "http://a b",
        "http://[x",
        "http://h\n",
        "//h",
        "",
    ],
)
def test_what_is_no_address_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(BadInput, match="--url takes an address like") as caught:
        Client(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("key", ["pw_\nX-Evil: 1", "pw_ü"])
def test_a_key_that_is_none_is_refused_and_not_quoted(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHOTOWARD_API_KEY", key)
    with pytest.raises(BadInput) as caught:
        Client("http://127.0.0.1:1")
    assert key not in str(caught.value)


class Seen:
    """What came over the wire, as plain text."""

    def __init__(self, **answer: str) -> None:
        self.requests: list[tuple[str, str | None]] = []
        self.location = answer.get("location")

    def page(self) -> type[http.server.BaseHTTPRequestHandler]:
        seen = self

        class Page(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                seen.requests.append((self.path, self.headers.get("Authorization")))
                self.send_response(308 if seen.location else 200)
                if seen.location:
                    self.send_header("Location", seen.location)
                body = b'{"state": "succeeded"}'
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        return Page


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PHOTOWARD_API_KEY", "pw_0123456789abcdef_secret")
    return "Bearer pw_0123456789abcdef_secret"


def test_over_tls_the_key_goes_to_a_certificate_that_is_trusted(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = own_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.chain))
    seen = Seen()
    with serving_page(seen.page(), certificate) as url, Client(f"{url}/photos/") as client:
        assert url.startswith("https://")
        assert client.item("x") == {"state": "succeeded"}
    assert seen.requests == [("/photos/v1/images/x", key)], "the address's own path counts"


def test_a_certificate_that_nobody_vouches_for_gets_nothing(key: str, tmp_path: Path) -> None:
    seen = Seen()
    with (
        serving_page(seen.page(), own_certificate(tmp_path)) as url,
        Client(url) as client,
        pytest.raises(BadInput, match="certificate is not trusted"),
    ):
        client.item("x")
    assert seen.requests == []
    assert key


def test_a_certificate_of_another_name_gets_nothing(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = own_certificate(tmp_path, host="127.0.0.2")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.chain))
    seen = Seen()
    with (
        serving_page(seen.page(), certificate) as url,
        Client(url) as client,
        pytest.raises(BadInput, match="certificate is not trusted"),
    ):
        client.item("x")
    assert seen.requests == []
    assert key


def test_over_https_nothing_is_said_in_clear_text(key: str) -> None:
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as door:

        def hear() -> None:
            caller, _ = door.accept()
            with caller:
                heard.append(caller.recv(4096))

        thread = threading.Thread(target=hear)
        thread.start()
        with (
            Client(f"https://127.0.0.1:{door.getsockname()[1]}") as client,
            pytest.raises(Unavailable),
        ):
            client.item("x")
        thread.join()
    assert heard[0][0] == 0x16, "a TLS handshake"
    assert key.encode() not in heard[0]


def test_an_answer_that_leads_elsewhere_is_not_followed(key: str) -> None:
    elsewhere = Seen()
    with serving_page(elsewhere.page()) as there:
        seen = Seen(location=f"{there}/v1/images/x")
        with (
            serving_page(seen.page()) as url,
            Client(url) as client,
            pytest.raises(Refusal, match="give that address"),
        ):
            client.item("x")
    assert seen.requests == [("/v1/images/x", key)]
    assert elsewhere.requests == []


def test_this_machine_is_not_asked_for_through_a_proxy(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, seen = Seen(), Seen()
    with serving_page(proxy.page()) as elsewhere, serving_page(seen.page()) as url:
        monkeypatch.setenv("HTTP_PROXY", elsewhere)
        with Client(url) as client:
            client.item("x")
        with Client("http://photos.example") as client:
            client.item("x")
    assert seen.requests == [("/v1/images/x", key)]
    assert [path for path, _ in proxy.requests] == ["http://photos.example/v1/images/x"]


def test_a_name_that_is_no_text_is_sent_as_near_as_can_be(service: Service) -> None:
    with Client(service.url) as client:
        item = client.submit(
            picture(), "image/png", name=b"caf\xe9.png".decode("utf-8", "surrogateescape")
        )
    assert service.ledger.items.get("default", item["id"]).source.filename == "caf?.png"


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
