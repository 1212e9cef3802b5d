"""Who did what, over HTTP: a tenant's own entries, and refusals that fill no ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from photoward.api.http import auth_failures
from photoward.core import api_keys
from photoward.core.api_keys import TENANT_SCOPES, Scope
from tests.api.http.service import PEPPER, picture, serving, working
from tests.api.http.test_access import key
from tests.api.http.test_refusals import assert_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.http.service import Service


@pytest.fixture
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("closed"), http_require_keys=True) as made:
        yield made


def listed(service: Service, text: str, **query: Any) -> dict[str, Any]:  # noqa: ANN401
    answer = service.client.get("/v1/audit", headers={"X-API-Key": text}, params=query)
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


def test_a_deed_names_key_request_and_address(closed: Service) -> None:
    admin = key(closed, "alice", TENANT_SCOPES)
    own = {"X-API-Key": admin.text}
    made = closed.client.post("/v1/keys", json={"name": "unmistakable"}, headers=own)
    image = closed.upload(headers=own, params={"label": "unmistakable"}).json()["id"]
    closed.client.delete(f"/v1/images/{image}", headers=own)
    by_hand, first, second = listed(closed, admin.text)["items"]
    assert by_hand["actor"] == "unknown", "nobody has said that it is the operator"
    assert (first["action"], first["resource_id"]) == ("key.create", made.json()["id"])
    assert (first["actor"], first["address"]) == (admin.id, "127.0.0.1")
    assert first["request"] == made.headers["X-Request-Id"]
    assert (second["action"], second["resource_id"], second["outcome"]) == (
        "image.delete",
        image,
        "success",
    )
    assert "unmistakable" not in str(listed(closed, admin.text))


def test_it_is_paged_and_ones_own(closed: Service) -> None:
    mine, theirs = key(closed, "alice", TENANT_SCOPES), key(closed, "bob", TENANT_SCOPES)
    for name in ("one", "two"):
        closed.client.post("/v1/keys", json={"name": name}, headers={"X-API-Key": mine.text})
    page = listed(closed, mine.text, limit=2)
    rest = listed(closed, mine.text, limit=2, cursor=page["next"])
    assert (len(page["items"]), len(rest["items"]), rest["next"]) == (2, 1, None)
    (other,) = listed(closed, theirs.text)["items"]
    assert other["resource_id"] == theirs.id


def test_what_protect_removes_by_itself_is_nobodys_deed(closed: Service) -> None:
    own = {"X-API-Key": key(closed, "alice", TENANT_SCOPES).text, "Content-Type": "image/png"}
    with working(closed):
        answer = closed.client.post("/v1/protect", content=picture(), headers=own)
    assert answer.status_code == 200
    assert [one["action"] for one in listed(closed, own["X-API-Key"])["items"]] == ["key.create"]


def test_a_proxy_that_is_believed_names_the_caller(closed: Service) -> None:
    for forwarded, address in (("192.0.2.7", "192.0.2.7"), ("no address", None)):
        caller = key(closed, "alice", TENANT_SCOPES)
        headers = {"X-API-Key": caller.text, "X-Forwarded-For": forwarded}
        made = closed.client.post("/v1/keys", json={"name": "x"}, headers=headers).json()
        entries = listed(closed, caller.text)["items"]
        assert (
            next(one["address"] for one in entries if one["resource_id"] == made["id"]) == address
        )


def test_refusals_are_told_once_a_minute(closed: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, admin = (
        key(closed, "alice", frozenset({Scope.READ})),
        key(closed, "alice", TENANT_SCOPES),
    )
    forged = f"pw_{reader.id}_{api_keys.generate(PEPPER).text.rpartition('_')[2]}"[:63].ljust(
        63, "A"
    )
    for _ in range(3):
        for text in (reader.text, forged, "nonsense"):
            answer = closed.client.get("/v1/audit", headers={"X-API-Key": text})
            assert answer.status_code in (401, 403)
    told = [
        (one["resource_id"], one["actor"], one["outcome"])
        for one in listed(closed, admin.text)["items"] if one["action"] == "access.deny"
    ]  # fmt: skip
    assert told == [
        (reader.id, reader.id, "forbidden"), (reader.id, "unauthenticated", "unauthenticated")
    ]  # fmt: skip
    monkeypatch.setattr(auth_failures, "WINDOW_S", 0)
    closed.app.state.services.auth_failures._until = 0
    for _ in range(2):
        closed.client.get("/v1/audit")
    everybody = closed.ledger.audit.list_entries(None, after=0, limit=99)
    assert len([one for one in everybody if one.tenant is None]) == 3


def test_who_knocks_without_end_fills_no_ledger(closed: Service) -> None:
    for _ in range(2 * auth_failures.MAX_ENTRIES):
        text = api_keys.generate(PEPPER).text
        assert_problem(
            closed.client.get("/v1/audit", headers={"X-API-Key": text}), "unauthenticated"
        )
    assert (
        len(closed.ledger.audit.list_entries(None, after=0, limit=999)) == auth_failures.MAX_ENTRIES
    )
    reader, admin = (
        key(closed, "alice", frozenset({Scope.READ})),
        key(closed, "alice", TENANT_SCOPES),
    )
    for headers in (
        {"X-API-Key": reader.text},  # it is another's refusal that tells of a stolen key
        {"X-API-Key": f"pw_{reader.id}_{43 * 'A'}", "X-Forwarded-For": "192.0.2.7"},
    ):
        assert closed.client.get("/v1/audit", headers=headers).is_client_error
    refused = [one for one in listed(closed, admin.text)["items"] if one["outcome"] != "success"]
    assert [one["actor"] for one in refused] == [reader.id, "unauthenticated"]


def test_who_knocks_from_everywhere_fills_no_ledger(closed: Service) -> None:
    for place in range(auth_failures.MAX_NETWORKS + 20):
        for host in (1, 2):
            forwarded = {"X-Forwarded-For": f"2001:db8:0:{place:x}::{host}"}
            assert_problem(closed.client.get("/v1/audit", headers=forwarded), "unauthenticated")
    assert (
        len(closed.ledger.audit.list_entries(None, after=0, limit=999))
        == auth_failures.MAX_NETWORKS
    )
