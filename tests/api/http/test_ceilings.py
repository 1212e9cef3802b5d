"""Large bodies of strangers, and of those whom nobody asked for one."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import psutil
import pytest
from fastapi.routing import APIRoute

from photoward.api.http.app import ROUTES
from photoward.api.http.body.reader import MAX_JSON
from photoward.core.api_keys import TENANT_SCOPES
from tests.api.http.service import serving
from tests.api.http.test_access import OPERATIONS, key, operations
from tests.api.http.test_streaming import Wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.http.service import Service

MOST_S = 0.1
MOST_GROWTH = 16 << 20
PLACES = {
    **dict.fromkeys(("image_id", "batch_id", "upload_id", "mark"), "0" * 32),
    **dict.fromkeys(("key_id", "webhook_id", "delivery_id"), "0" * 16),
}
OPEN_TO_ALL = "verifyFile"
"""Takes files of strangers, and refuses what is none by its type."""
BODY = b"[" + b"{}," * 350_000 + b"{}]"
"""A megabyte that would be forty as objects."""


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("closed"), http_require_keys=True) as made:
        yield made


def sent(service: Service, name: str, *, chunked: bool, head: str = "") -> tuple[int, float]:
    """A megabyte to an operation: status, and seconds until it was there."""
    method, path = operations(service)[name]
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(BODY)}"
    place = path.format(**PLACES, code="not_found")
    asked = f"{method} {place} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY) if chunked else BODY
    wire = Wire(service)
    with closing(wire.socket):
        began = time.monotonic()
        wire.socket.sendall(f"{asked}{head}{framing}\r\n\r\n".encode() + body)
        status = wire.socket.recv(64).split()[1]
        return int(status), time.monotonic() - began


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_megabyte_without_a_key_is_refused_at_once(
    name: str, closed: Service, *, chunked: bool
) -> None:
    answers = [sent(closed, name, chunked=chunked) for _ in range(3)]  # once the machine is busy
    refused = {401, 413} | ({415} if name == OPEN_TO_ALL else set())
    assert {status for status, _ in answers} <= refused
    assert min(took for _, took in answers) < MOST_S


def test_megabytes_without_a_key_take_no_memory(closed: Service) -> None:
    own = psutil.Process()
    before = own.memory_info().rss
    for _ in range(30):
        sent(closed, "createKey", chunked=True)
    assert own.memory_info().rss - before < MOST_GROWTH


@pytest.mark.parametrize("name", ["createKey", "rotateKey", "createWebhook"])
def test_with_a_key_a_body_has_a_ceiling(name: str, closed: Service) -> None:
    text = key(closed, "alice", TENANT_SCOPES).text
    status, took = sent(closed, name, chunked=True, head=f"X-API-Key: {text}\r\n")
    assert (status, took < 1) == (413, True)


def test_a_small_body_that_nobody_asked_for_is_passed_over(service: Service) -> None:
    for content in (b"{}", b" " * MAX_JSON):
        assert service.client.request("GET", "/v1/methods", content=content).is_success
        assert service.client.request("GET", "/v1/methods", content=iter([content])).is_success


def test_no_body_is_read_before_the_key(service: Service) -> None:
    """FastAPI reads a declared body whole, before it asks who sends it."""
    described = service.client.get("/openapi.json").json()["paths"]
    with_body = {
        one["operationId"]
        for methods in described.values()
        for one in methods.values()
        if "requestBody" in one
    }
    routers = [routes.router for routes in ROUTES]
    found = [one for router in routers for one in router.routes if isinstance(one, APIRoute)]
    assert with_body < {one.operation_id for one in found}
    assert [one.path for one in found if one.body_field is not None] == []
