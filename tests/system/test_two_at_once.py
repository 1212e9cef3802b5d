"""Two that change the same at the same moment: it ends as if one had come after the other.

On SQLite and on PostgreSQL, where what one has not committed the other does not see.
"""

from __future__ import annotations

import hashlib
import random
import secrets
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from photoward.core import api_keys
from photoward.core.api_keys import TENANT_SCOPES
from photoward.core.errors import NotFound
from photoward.core.jobs import ImageState, State
from photoward.core.key_derivation import pepper
from photoward.core.ledger import open_ledger
from photoward.core.object_keys import object_keys
from photoward.core.settings import Settings
from photoward.core.storage import open_store
from photoward.core.webhooks import Event
from tests.support.audit import TENANT, audit
from tests.support.faults import HASTY, free_of_cost, rows, swept, until
from tests.support.findings import note
from tests.support.receiver import counting
from tests.support.scale import scaled
from tests.support.servers import fresh_database
from tests.support.stack import fresh_stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from photoward.core.api_keys import ApiKey
    from photoward.core.ledger import Ledger
    from photoward.core.storage import ObjectStore
    from tests.support.stack import Stack

LATEST_S = 0.1
"""How much one may come later than the other: who waits for whom shall differ."""

OPTIONS = {"label": "cat", "method": "cuda"}
ENVIRONMENT = HASTY | {"PHOTOWARD_WEBHOOK_ALLOW_PRIVATE": "1", "PHOTOWARD_ENGINE_METHOD": "cuda"}
"""A worker that is soon there, and whose photos cost nothing."""


@dataclass
class Service:
    """The running service, and what is behind it."""

    stack: Stack
    settings: Settings
    ledger: Ledger
    store: ObjectStore
    client: httpx.Client
    hook: str
    """URL of a receiver."""
    heard: Counter[str]
    """What it was told, by what it is about."""
    photos: Iterator[bytes]
    kept: list[str] = field(default_factory=list)
    """Items that must be there in the end."""

    def key(self, tenant: str) -> tuple[ApiKey, dict[str, str]]:
        """A fresh one, and the headers that present it."""
        minted = api_keys.generate(pepper(self.settings.master_secret.read_bytes()))
        key = self.ledger.api_keys.add(minted, tenant, "test", TENANT_SCOPES, None)
        return key, {"X-API-Key": minted.text}

    def upload(self, **more: Any) -> httpx.Response:  # noqa: ANN401  # for httpx
        """Hand a photo in."""
        headers = {"Content-Type": "image/png", **more.pop("headers", {})}
        params = OPTIONS | more.pop("params", {})
        return self.client.post(
            "/v1/images", content=next(self.photos), headers=headers, params=params, **more
        )

    def finished(self, **more: Any) -> str:  # noqa: ANN401  # for httpx
        """A photo that is done."""
        headers = {"Prefer": "wait=30", **more.pop("headers", {})}
        item = self.upload(headers=headers, **more).raise_for_status().json()
        assert item["state"] == "succeeded", item
        return str(item["id"])

    def erased(self, tenant: str) -> None:
        """As the command line does it."""
        for item in self.ledger.tenants.erase(tenant):
            for key in object_keys(item):
                self.store.delete(key)


def together(*calls: Callable[[], Any]) -> list[Any]:
    """Make calls at the same moment, or nearly; what they return."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:  # noqa: ANN401  # whatever it returns
        start.wait()
        time.sleep(random.choice((0.0, random.uniform(0, LATEST_S))))  # no secret
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def erase_and_upload(service: Service) -> None:
    tenant = f"leaving-{secrets.token_hex(4)}"
    _, own = service.key(tenant)
    answer, _ = together(lambda: service.upload(headers=own), lambda: service.erased(tenant))
    assert answer.status_code in {202, 401, 404}, answer.text
    if answer.status_code == httpx.codes.ACCEPTED:
        with pytest.raises(NotFound):
            service.ledger.items.get(tenant, answer.json()["id"])
    assert service.ledger.api_keys.list_all(tenant) == []
    assert [
        one.action.value for one in service.ledger.audit.list_entries(tenant, after=0, limit=9)
    ] == ["tenant.erase"]


def remove_a_webhook_and_finish(service: Service) -> None:
    hook = service.ledger.webhooks.add(secrets.token_hex(8), TENANT, service.hook, set(Event))
    done, removed = together(
        service.finished, lambda: service.client.delete(f"/v1/webhooks/{hook.id}")
    )
    assert removed.status_code == httpx.codes.NO_CONTENT, removed.text
    service.kept.append(done)
    assert not [
        row for row in rows(service.settings, "webhook_deliveries") if row["webhook_id"] == hook.id
    ]


def delete_and_download(service: Service) -> None:
    item_id = service.finished()
    output = service.ledger.items.get(TENANT, item_id).output
    assert output is not None
    place = f"/v1/images/{item_id}"
    deleted, file = together(
        lambda: service.client.delete(place), lambda: service.client.get(f"{place}/content")
    )
    assert deleted.status_code == httpx.codes.NO_CONTENT, deleted.text
    assert file.status_code in {200, 404}, file.text
    if file.status_code == httpx.codes.OK:
        assert hashlib.sha256(file.content).hexdigest() == output.sha256


def cancel_and_arrive(service: Service) -> None:
    data = next(service.photos)
    begun = service.client.post("/v1/uploads", json={"bytes": len(data)}).json()
    service.client.put(begun["url"], content=data, headers=begun["headers"]).raise_for_status()
    batch = service.client.post("/v1/batches", json={"options": OPTIONS}).json()["links"]["self"]
    made, cancelled = together(
        lambda: service.client.post(f"{batch}/manifest", json=[{"upload": begun["id"]}]),
        lambda: service.client.post(f"{batch}/cancel"),
    )
    assert (made.status_code, cancelled.status_code) == (200, 200), (made.text, cancelled.text)
    counts: dict[ImageState, int] = {}

    def at_rest() -> bool:
        nonlocal counts
        counts = service.client.get(batch).json()["counts"]
        return all(ImageState(state).is_final for state in counts)

    until(at_rest, 60)
    assert counts in ({"canceled": 1}, {"succeeded": 1})
    listed = service.client.get(f"{batch}/images").json()["items"]
    service.kept += [one["id"] for one in listed]
    service.client.delete(f"/v1/uploads/{begun['id']}").raise_for_status()


def rotate_and_claim(service: Service) -> None:
    key, own = service.key(TENANT)
    hook = service.ledger.webhooks.add(secrets.token_hex(8), TENANT, service.hook, set(Event))
    done, fresh, secret = together(
        lambda: service.finished(headers=own),
        lambda: service.client.post(f"/v1/keys/{key.id}/rotate", json={"grace_hours": 1}),
        lambda: service.client.post(f"/v1/webhooks/{hook.id}/rotate"),
    )
    assert (fresh.status_code, secret.status_code) == (201, 200), (fresh.text, secret.text)
    service.kept.append(done)
    until(lambda: service.heard[done] >= 1, 60, "the message is lost")
    service.ledger.webhooks.delete(TENANT, hook.id)
    for one in (key.id, fresh.json()["id"]):
        service.ledger.api_keys.revoke(TENANT, one, timedelta(0))


PAIRS = (
    erase_and_upload, remove_a_webhook_and_finish, delete_and_download, cancel_and_arrive,
    rotate_and_claim,
)  # fmt: skip


@pytest.mark.parametrize("database", ["SQLite", "PostgreSQL"])
def test_two_at_once(
    database: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = scaled(4, 200)
    with ExitStack() as beneath:
        if database == "PostgreSQL":
            url = beneath.enter_context(fresh_database(request.getfixturevalue("postgres_url")))
            monkeypatch.setenv("PHOTOWARD_DATABASE_URL", url)
        with running(rounds * len(PAIRS)) as service:
            for pair in PAIRS:
                for _ in range(rounds):
                    pair(service)
            states = {one: service.ledger.items.get(TENANT, one).state for one in service.kept}
            note(
                f"two at once, {database}: {len(PAIRS)} pairs ×{rounds}",
                "as if one came after the other",
                f"{rounds * len(PAIRS)} rounds, {Counter(states.values())[State.DONE]} photos done",
                "a short lease",
            )  # fmt: skip
            swept(service.settings, sum(state is State.DONE for state in states.values()))
            audit(service.stack, service.settings, service.kept)


@contextmanager
def running(photos: int) -> Iterator[Service]:
    """The service, with so many photos to send."""
    data = iter([one.data for one in free_of_cost(2 * photos)])
    with (
        counting() as (hook, heard),
        fresh_stack(**ENVIRONMENT) as stack,
        httpx.Client(base_url=stack.url, timeout=60) as client,
    ):
        settings = Settings(data_dir=stack.folder)
        ledger = open_ledger(settings)
        yield Service(
            stack, settings, ledger, open_store(settings), client, hook, heard, data
        )  # fmt: skip
        ledger.close()
