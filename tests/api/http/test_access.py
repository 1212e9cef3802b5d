"""Who may do what: every operation of the API's description, asked by everybody."""

from __future__ import annotations

import http.client
import re
import secrets
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import pytest

from photoward.core import api_keys
from photoward.core.api_keys import TENANT_SCOPES, Scope
from photoward.core.jobs import new_id
from photoward.core.webhooks import Event
from tests.api.http.service import PEPPER, picture, serving, work
from tests.api.http.test_batches import zipped
from tests.api.http.test_refusals import assert_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.api.http.service import Service

READ, WRITE, WEBHOOKS = Scope.READ, Scope.WRITE, Scope.WEBHOOKS
ADMIN, OPERATOR = Scope.ADMIN, Scope.OPERATOR
HOUR = timedelta(hours=1)
TUS = {"Tus-Resumable": "1.0.0"}


@dataclass(frozen=True)
class Operation:
    """What an operation needs, and how it is asked."""

    scope: Scope | Literal["any", "optional"] | None
    """None: open to everybody; any: to every key; optional: to every key, and without one."""
    success: int
    body: Any = None
    thing: str | None = None
    """What the path names."""
    headers: dict[str, str] = field(default_factory=dict)


OPERATIONS = {
    "createImage": Operation(WRITE, 202, picture()),
    "protect": Operation(WRITE, 503, picture()),  # nobody works: not in time
    "listImages": Operation(READ, 200),
    "getImage": Operation(READ, 200, thing="image_id"),
    "deleteImage": Operation(WRITE, 204, thing="image_id"),
    "getImagePreview": Operation(READ, 200, thing="image_id"),
    "getImageContent": Operation(READ, 200, thing="image_id"),
    "watchImage": Operation(READ, 200, thing="image_id"),
    "watchBatch": Operation(READ, 200, thing="batch_id"),
    "describeUploads": Operation(None, 204),
    "createUpload": Operation(WRITE, 201, {"bytes": 9}),
    "getUploadOffset": Operation(WRITE, 200, thing="upload_id", headers=TUS),
    "continueUpload": Operation(
        WRITE,
        204,
        b"part",
        "upload_id",
        {**TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"},
    ),
    "putUpload": Operation(WRITE, 204, b"the whole", "upload_id"),
    "deleteUpload": Operation(WRITE, 204, thing="upload_id", headers=TUS),
    "createBatch": Operation(WRITE, 201, {}),
    "listBatches": Operation(READ, 200),
    "getBatch": Operation(READ, 200, thing="batch_id"),
    "listBatchImages": Operation(READ, 200, thing="batch_id"),
    "closeBatch": Operation(WRITE, 200, thing="batch_id"),
    "cancelBatch": Operation(WRITE, 200, thing="batch_id"),
    "retryBatch": Operation(WRITE, 200, thing="batch_id"),
    "uploadBatchArchive": Operation(WRITE, 200, zipped({}), thing="batch_id"),
    "uploadBatchManifest": Operation(WRITE, 200, [], thing="batch_id"),
    "downloadBatchArchive": Operation(READ, 200, thing="batch_id"),
    "getBatchResults": Operation(READ, 200, thing="batch_id"),
    "verifyFile": Operation("optional", 200, picture()),
    "verifyId": Operation("optional", 404),  # nothing was protected under this one
    "createWebhook": Operation(WEBHOOKS, 201, {"url": "https://a.example/x"}),
    "listWebhooks": Operation(WEBHOOKS, 200),
    "getCallbacks": Operation(WEBHOOKS, 200),
    "testWebhook": Operation(WEBHOOKS, 202, thing="webhook_id"),
    "rotateWebhook": Operation(WEBHOOKS, 200, thing="webhook_id"),
    "deleteWebhook": Operation(WEBHOOKS, 204, thing="webhook_id"),
    "listDeliveries": Operation(WEBHOOKS, 200, thing="webhook_id"),
    "replayDelivery": Operation(WEBHOOKS, 202, thing="webhook_id"),
    "createUploadToken": Operation(WRITE, 201, {}),
    "getOwnKey": Operation("any", 200),
    "createKey": Operation(ADMIN, 201, {"name": "x"}),
    "listKeys": Operation(ADMIN, 200),
    "rotateKey": Operation(ADMIN, 201, {}, thing="key_id"),
    "revokeKey": Operation(ADMIN, 204, thing="key_id"),
    "listAudit": Operation(ADMIN, 200),
    "listMethods": Operation(None, 200),
    "listSurrogates": Operation(None, 200),
    "getUsage": Operation(READ, 200),
    "getLimits": Operation(None, 200),
    "explainProblem": Operation(None, 200),
    "live": Operation(None, 200),
    "ready": Operation(None, 200),
    "metrics": Operation(OPERATOR, 200),
    "getInstallation": Operation(OPERATOR, 200),
    "listTenants": Operation(OPERATOR, 200),
    "listInstallationAudit": Operation(OPERATOR, 200),
}
"""By operationId. One that is not here fails the test: somebody must decide who may ask it."""

CALLERS: dict[str, tuple[str, frozenset[Scope]] | None] = {
    "anonymous": None, "made up": None, "expired": None, "ended": None,
    "read-only": ("alice", frozenset({READ})), "write-only": ("alice", frozenset({WRITE})),
    "usual": ("alice", frozenset({READ, WRITE})), "admin": ("alice", TENANT_SCOPES),
    "another's admin": ("bob", TENANT_SCOPES), "operator": ("alice", frozenset({OPERATOR})),
}  # fmt: skip
"""Tenant and scopes; None: nobody."""


CASES = [
    (name, caller, whose)
    for name, operation in OPERATIONS.items() for caller in CALLERS
    for whose in (("own", "another's", "missing") if operation.thing else ("own",))
]  # fmt: skip


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(
        tmp_path_factory.mktemp("closed"), http_require_keys=True, http_max_wait_seconds=0.1
    ) as made:
        yield made


def key(
    service: Service, tenant: str, scopes: frozenset[Scope], lifetime: timedelta | None = None
) -> api_keys.NewApiKey:
    minted = api_keys.generate(PEPPER)
    service.ledger.api_keys.add(minted, tenant, "test", scopes, lifetime)
    return minted


@pytest.fixture(scope="module")
def texts(closed: Service) -> dict[str, str | None]:
    """What each caller sends."""
    made = {name: key(closed, *who).text for name, who in CALLERS.items() if who}
    ended = key(closed, "alice", TENANT_SCOPES)
    closed.ledger.api_keys.revoke("alice", ended.id, timedelta(0))
    return {
        "anonymous": None, "made up": api_keys.generate(PEPPER).text, "ended": ended.text,
        "expired": key(closed, "alice", TENANT_SCOPES, timedelta(0)).text, **made,
    }  # fmt: skip


def operations(service: Service) -> dict[str, tuple[str, str]]:
    """Each operationId of the description → method and path."""
    paths = service.client.get("/openapi.json").json()["paths"]
    return {
        one["operationId"]: (method.upper(), path)
        for path, methods in paths.items() for method, one in methods.items()
    }  # fmt: skip


def ask(service: Service, name: str, text: str | None, things: dict[str, str]) -> httpx.Response:
    method, path = operations(service)[name]
    body = OPERATIONS[name].body
    given: dict[str, Any] = {} if body is None else {"json": body}
    if isinstance(body, bytes):
        kind = "application/zip" if body.startswith(b"PK") else "image/png"
        given = {"content": body, "headers": {"Content-Type": kind}}
    headers = given.pop("headers", {}) | OPERATIONS[name].headers
    if text is not None:
        headers["Authorization"] = f"Bearer {text}"
    return service.client.request(method, path.format(**things), headers=headers, **given)


def finished(service: Service, tenant_key: str) -> str:
    """The id of a photo that has been protected."""
    answer = service.upload(headers={"Authorization": f"Bearer {tenant_key}"})
    while work(service):
        """Others may have handed something in, too."""
    return str(answer.json()["id"])


def told(service: Service, tenant: str) -> dict[str, str]:
    """A webhook with a message."""
    hook = service.ledger.webhooks.add(
        secrets.token_hex(8), tenant, "https://a.example/x", {Event.IMAGE_SUCCEEDED}
    )
    finished(service, key(service, tenant, TENANT_SCOPES).text)
    (delivery,) = service.ledger.webhooks.list_deliveries(tenant, hook.id, after=0, limit=9)
    return {"webhook_id": hook.id, "delivery_id": delivery.id}


def test_every_operation_is_in_the_matrix(closed: Service) -> None:
    found = operations(closed)
    assert found.keys() == OPERATIONS.keys()
    for name, operation in OPERATIONS.items():
        named = set(re.findall(r"{(\w+)}", found[name][1])) - {"code", "delivery_id", "mark"}
        assert named == ({operation.thing} if operation.thing else set())


@pytest.mark.parametrize(("name", "caller", "whose"), CASES)
def test_the_matrix(
    name: str, caller: str, whose: str, closed: Service, texts: dict[str, str | None]
) -> None:
    operation, who = OPERATIONS[name], CALLERS[caller]
    tenant = who[0] if who else "alice"
    other = {"alice": "bob", "bob": "alice"}[tenant]
    owner = tenant if whose == "own" else other
    missing = {
        "image_id": new_id(), "batch_id": new_id(), "key_id": "0" * 16, "webhook_id": "0" * 16,
        "delivery_id": f"msg_{24 * '0'}", "upload_id": new_id(),
    }  # fmt: skip
    things = {**missing, "code": "not_found", "mark": "0" * 32}
    if whose != "missing" and operation.thing == "image_id":
        things["image_id"] = finished(closed, key(closed, owner, TENANT_SCOPES).text)
    if whose != "missing" and operation.thing == "webhook_id":
        things |= told(closed, owner)
    if whose != "missing" and operation.thing == "batch_id":
        things["batch_id"] = closed.ledger.batches.add(new_id(), owner, "", {}).id
    if whose != "missing" and operation.thing == "upload_id":
        begun = closed.ledger.uploads.add(new_id(), owner, 9, "", max_uploads=999, max_bytes=9999)
        things["upload_id"] = begun.id
    if whose != "missing" and operation.thing == "key_id":
        things["key_id"] = key(closed, owner, TENANT_SCOPES).id
    answer = ask(closed, name, texts[caller], things)
    if operation.scope is None or (operation.scope == "optional" and texts[caller] is None):
        assert answer.status_code == operation.success
    elif who is None:
        assert_problem(answer, "unauthenticated")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    elif operation.scope not in {"any", "optional", *who[1]}:
        assert_problem(answer, "forbidden")
        assert answer.request.method == "HEAD" or operation.scope in answer.json()["detail"]
    elif whose != "own":
        assert_problem(answer, "not_found")
    else:
        assert answer.status_code == operation.success, answer.text


def test_a_foreign_thing_is_answered_like_a_missing_one(
    closed: Service, texts: dict[str, str | None]
) -> None:
    theirs = finished(closed, key(closed, "bob", TENANT_SCOPES).text)

    def told(image_id: str) -> dict[str, Any]:
        things = {"image_id": image_id}
        answer: dict[str, Any] = ask(closed, "getImage", texts["usual"], things).json()
        return {name: value for name, value in answer.items() if name != "instance"}

    assert told(theirs) == told(new_id())


def test_a_bad_key_is_refused_where_none_is_needed(service: Service) -> None:
    answer = service.client.get(
        f"/v1/images/{new_id()}", headers={"X-API-Key": api_keys.generate(PEPPER).text}
    )
    assert_problem(answer, "unauthenticated")


@pytest.mark.parametrize("header", ["X-API-Key", "Authorization"])
def test_a_key_may_come_in_either_header(header: str, closed: Service) -> None:
    text = key(closed, "alice", TENANT_SCOPES).text
    value = f"bearer {text}" if header == "Authorization" else text
    assert closed.client.get("/v1/keys", headers={header: value}).status_code == 200


@pytest.mark.parametrize(
    "text", ["", "pw_", "pw_0_0", "ü", "pw_" + "0" * 16 + "_" + "A" * 43, "a" * 9000]
)
def test_what_is_no_key_opens_nothing(text: str, closed: Service) -> None:
    headers = [(b"x-api-key", text.encode())]
    answer = closed.client.get("/v1/keys", headers=headers)
    assert answer.status_code in (401, 431)


def test_a_key_is_made_listed_rotated_and_ended(closed: Service) -> None:
    admin = {"Authorization": f"Bearer {key(closed, 'carol', TENANT_SCOPES).text}"}
    wanted = {"name": "plug-in", "scopes": ["read"], "expires_in_days": 30}
    made = closed.client.post("/v1/keys", json=wanted, headers=admin)
    assert made.status_code == 201
    assert made.headers["Cache-Control"] == "no-store"
    fresh = made.json()
    own = {"X-API-Key": fresh["key"]}
    assert_problem(closed.client.get("/v1/keys", headers=own), "forbidden")
    assert_problem(closed.client.get(f"/v1/images/{new_id()}", headers=own), "not_found")
    listed = closed.client.get("/v1/keys", headers=admin)
    assert fresh["key"] not in listed.text
    assert [one["name"] for one in listed.json()["keys"]] == ["test", "plug-in"]
    place = f"/v1/keys/{fresh['id']}"
    rotated = closed.client.post(f"{place}/rotate", json={"grace_hours": 1}, headers=admin).json()
    assert (rotated["name"], rotated["scopes"]) == ("plug-in", ["read"])
    for text in (fresh["key"], rotated["key"]):  # both open for an hour
        answer = closed.client.get(f"/v1/images/{new_id()}", headers={"X-API-Key": text})
        assert_problem(answer, "not_found")
    assert closed.client.delete(place, headers=admin).status_code == 204
    assert_problem(closed.client.get(f"/v1/images/{new_id()}", headers=own), "unauthenticated")


@pytest.mark.parametrize(
    "wanted", [{}, {"name": ""}, {"name": "a\nb"}, {"name": "a", "scopes": []},
               {"name": "a", "scopes": ["root"]}, {"name": "a", "scopes": ["read", "operator"]},
               {"name": "a", "expires_in_days": 0},
               {"name": "a", "tenant": "bob"}],
)  # fmt: skip
def test_a_key_that_cannot_be_is_refused(wanted: dict[str, Any], closed: Service) -> None:
    admin = {"Authorization": f"Bearer {key(closed, 'alice', TENANT_SCOPES).text}"}
    assert_problem(closed.client.post("/v1/keys", json=wanted, headers=admin), "invalid_option")


def test_what_is_on_its_way_when_its_tenant_is_erased_does_not_arrive(closed: Service) -> None:
    minted = api_keys.generate(PEPPER)
    closed.ledger.api_keys.add(minted, "leaving", "x", TENANT_SCOPES, None)
    data, kept = picture(), closed.kept()
    wire = http.client.HTTPConnection(*closed.address())
    wire.putrequest("POST", "/v1/images?label=unmistakable")
    for name, value in (
        ("Authorization", f"Bearer {minted.text}"), ("Content-Type", "image/png"),
        ("Content-Length", str(len(data))), ("Content-Disposition", 'attachment; filename="me"'),
    ):  # fmt: skip
        wire.putheader(name, value)
    wire.endheaders()
    wire.send(data[:50])
    time.sleep(0.3)  # it is let in
    closed.ledger.tenants.erase("leaving")
    wire.send(data[50:])
    assert wire.getresponse().status == 404
    wire.close()
    assert closed.kept() == kept
    assert closed.ledger.tenants.usage("leaving").megapixels == 0


def test_who_may_not_is_refused_before_the_body_is_read(closed: Service) -> None:
    answer = closed.client.post("/v1/images?preset=nonsense", content=b"x" * 100_000)
    assert_problem(answer, "unauthenticated")


def test_no_tenants_admin_becomes_an_operator(closed: Service) -> None:
    admin = {"Authorization": f"Bearer {key(closed, 'alice', TENANT_SCOPES).text}"}
    theirs = key(closed, "alice", frozenset({OPERATOR}))
    answer = closed.client.post(f"/v1/keys/{theirs.id}/rotate", json={}, headers=admin)
    assert_problem(answer, "forbidden")
    assert_problem(closed.client.get("/metrics", headers=admin), "forbidden")
