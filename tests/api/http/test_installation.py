"""The installation over HTTP: for its operator alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from photoward.core.api_keys import TENANT_SCOPES, Scope
from photoward.core.errors import PROBLEMS
from tests.api.http.service import picture, serving, work
from tests.api.http.test_access import key
from tests.api.http.test_refusals import assert_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.http.service import Service

OPERATOR = frozenset({Scope.OPERATOR})


@pytest.fixture
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("closed"), http_require_keys=True) as made:
        yield made


def read(service: Service, path: str, text: str, **query: Any) -> dict[str, Any]:  # noqa: ANN401
    own = {"X-API-Key": text}
    answer = service.client.get(f"/v1/installation{path}", headers=own, params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    found: dict[str, Any] = answer.json()
    return found


def test_the_operator_sees_all_tenants_and_none_of_their_photos(closed: Service) -> None:
    operator = key(closed, "ops", OPERATOR).text
    bad = bytearray(picture())
    bad[60:90] = bytes(30)
    images = []
    for tenant, photo in (("alice", picture()), ("bob", bytes(bad))):
        own = {"X-API-Key": key(closed, tenant, TENANT_SCOPES).text}
        sent = closed.upload(photo, headers=own, params={"label": "unmistakable"})
        images.append(sent.json()["id"])
    waiting = read(closed, "", operator)["queue"]["interactive"]
    assert waiting["images"] == 2
    assert waiting["oldest_at"]
    work(closed)
    found = read(closed, "", operator)
    assert found["queue"]["interactive"] == {"images": 0, "megapixels": 0, "oldest_at": None}
    assert (found["processing"], found["finished_per_minute"]) == (0, 0.4)
    assert sum(hour["counts"].get("succeeded", 0) for hour in found["hours"]) == 1
    (failed,) = found["failures"]
    assert (failed["code"], failed["title"]) == ("corrupt", PROBLEMS["corrupt"].title)
    tenants = read(closed, "/tenants", operator)["items"]
    assert [(one["id"], one["active_keys"]) for one in tenants] == [
        ("alice", 1), ("bob", 1), ("ops", 1)
    ]  # fmt: skip
    entries = read(closed, "/audit", operator, newest_first=True)["items"]
    assert [one["tenant"] for one in entries] == ["bob", "alice", "ops"]
    told = f"{found}{tenants}{entries}"
    assert not any(image in told for image in [*images, "unmistakable"])
    for path in ("", "/tenants", "/audit"):
        admin = {"X-API-Key": key(closed, "alice", TENANT_SCOPES).text}
        assert_problem(closed.client.get(f"/v1/installation{path}", headers=admin), "forbidden")


def test_tenants_are_paged_by_name(closed: Service) -> None:
    operator = key(closed, "ops", OPERATOR).text
    for tenant in ("a.b-c_d", "zoe"):
        key(closed, tenant, TENANT_SCOPES)
    page = read(closed, "/tenants", operator, limit=1)
    assert [one["id"] for one in page["items"]] == ["a.b-c_d"]
    rest = read(closed, "/tenants", operator, cursor=page["next"])
    assert [one["id"] for one in rest["items"]] == ["ops", "zoe"]
    assert rest["next"] is None
