"""What pages of other sites send to a service without keys, as browsers write it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from photoward.core.settings import Settings
from tests.api.http.service import picture
from tests.api.http.test_refusals import assert_problem

if TYPE_CHECKING:
    from pathlib import Path

    from tests.api.http.conftest import ServiceFactory
    from tests.api.http.service import Service

EVIL = "http://evil.example"


def told(service: Service) -> dict[str, str]:
    """Places that the tests write as ``{host}`` and ``{port}``."""
    host, port = service.address()
    return {"host": host, "port": str(port)}


@pytest.mark.parametrize("path", ["/", "/v1/audit", "/v1/limits", "/metrics", "/static/page.js"])
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "localhost.evil.example", "127.0.0.1.evil.com",
             "evil.example.", "a@evil.example", "[", ":80"],
)  # fmt: skip
def test_a_foreign_host_is_answered_by_nobody(path: str, host: str, service: Service) -> None:
    answer = service.client.get(path, headers={"Host": host.format(**told(service))})
    assert_problem(answer, "unknown_host")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:{port}", "localhost.", "{host}:{port}", "[::1]:{port}",
             "192.0.2.7", "127.8.8.8:1"],
)  # fmt: skip
def test_own_names_and_plain_addresses_are_good_hosts(host: str, service: Service) -> None:
    headers = {"Host": host.format(**told(service))}
    assert service.client.get("/v1/usage", headers=headers).is_success


FOREIGN: dict[str, dict[str, str]] = {
    "another site": {"Origin": EVIL},
    "another port": {"Origin": "http://{host}:1"},
    "a sandbox or a file": {"Origin": "null"},
    "an extension": {"Origin": "chrome-extension://abcdef"},
    "no URL": {"Origin": "http://["},
    "cross-site": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    "same-site": {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
    "in a frame": {
        "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe",
    },
}  # fmt: skip


@pytest.mark.parametrize("who", FOREIGN)
def test_what_another_sites_page_asks_is_refused(who: str, service: Service) -> None:
    headers = {name: text.format(**told(service)) for name, text in FOREIGN[who].items()}
    asked = {"name": "x", "scopes": ["admin"]}
    assert_problem(service.client.post("/v1/keys", json=asked, headers=headers), "foreign_origin")
    assert_problem(service.client.get("/v1/usage", headers=headers), "foreign_origin")
    handed = service.client.post(
        "/v1/images", files={"file": ("a.png", picture(), "image/png")}, headers=headers
    )
    assert_problem(handed, "foreign_origin")
    preflight = {**headers, "Access-Control-Request-Method": "DELETE"}
    assert_problem(service.client.options("/v1/uploads", headers=preflight), "foreign_origin")
    assert service.kept() == []
    assert service.ledger.api_keys.list_all("default") == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://{host}:{port}"},
        {"Origin": "http://{host}:{port}", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
        {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"},
    ],
)
def test_the_services_own_page_may_ask(headers: dict[str, str], service: Service) -> None:
    told_here = {name: text.format(**told(service)) for name, text in headers.items()}
    assert service.client.post("/v1/batches", json={}, headers=told_here).is_success


def test_a_link_may_lead_to_the_page_but_a_form_may_not(service: Service) -> None:
    link = {
        "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document",
    }  # fmt: skip
    assert service.client.get("/", headers=link).is_success
    assert_problem(service.client.post("/v1/batches", json={}, headers=link), "foreign_origin")


def test_the_operator_names_further_hosts(make_service: ServiceFactory) -> None:
    named = make_service(http_allowed_hosts=("Photos.example",))
    proxied: dict[str, Any] = {"Host": "photos.example", "Origin": "https://photos.example"}
    for headers in (proxied, {**proxied, "Host": "127.0.0.1:8080"}):  # a proxy may hide the name
        assert named.client.get("/v1/usage", headers=headers).is_success
    for other in ("http://photos.example:3000", EVIL):
        answer = named.client.get("/v1/usage", headers={**proxied, "Origin": other})
        assert_problem(answer, "foreign_origin")
    assert_problem(named.client.get("/", headers={"Host": "evil.example"}), "unknown_host")


def test_hosts_are_named_with_commas(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PHOTOWARD_HTTP_ALLOWED_HOSTS", "photos.example, nas.local")
    assert Settings(data_dir=tmp_path).http_allowed_hosts == ("photos.example", "nas.local")


def test_where_keys_are_required_they_are_what_counts(make_service: ServiceFactory) -> None:
    closed = make_service(http_require_keys=True)
    headers = {"Host": "photos.example", "Origin": EVIL}
    assert closed.client.get("/v1/limits", headers=headers).is_success
    assert_problem(closed.client.get("/v1/usage", headers=headers), "unauthenticated")
