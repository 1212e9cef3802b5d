"""Progress as server-sent events: every change, nothing twice, and an end."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from photoward.api.http.routes import events
from photoward.api.ingest import admission
from photoward.core import api_keys
from photoward.core.api_keys import TENANT_SCOPES
from photoward.core.errors import Overloaded
from tests.api.http.service import PEPPER, picture, serving, work
from tests.api.http.test_refusals import assert_problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from photoward.api.ingest.admission import Admission
    from tests.api.http.conftest import ServiceFactory
    from tests.api.http.service import Service


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setattr(events, "POLL_INTERVAL_S", 0.02)
    with serving(tmp_path) as made:
        yield made


@dataclass(frozen=True)
class Told:
    """An event."""

    id: str
    data: dict[str, Any]


def listen(service: Service, place: str, last: str | None = None) -> Iterator[Told]:
    """The events, as a browser reads them."""
    headers = {"Last-Event-ID": last} if last else {}
    with service.client.stream("GET", f"{place}/events", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        for line in answer.iter_lines():
            if not line and "data" in fields:
                assert fields["event"] == "progress"
                yield Told(fields["id"], json.loads(fields["data"]))
                fields = {}
            name, colon, value = line.partition(": ")
            if name and colon:
                fields[name] = value


def batch_of(service: Service, count: int) -> str:
    made = service.client.post("/v1/batches", json={})
    for _ in range(count):
        service.upload(params={"batch": made.json()["id"]})
    return str(made.headers["Location"])


def test_a_photo_is_told_from_the_queue_to_its_end(service: Service) -> None:
    place = service.upload().headers["Location"]
    heard = listen(service, place)
    first = next(heard)
    assert (first.data["state"], first.data["progress"]["position"]) == ("queued", 0)
    working = threading.Thread(target=work, args=(service,))
    working.start()
    rest = list(heard)
    working.join()
    assert rest[-1].data == service.client.get(place).json()
    assert rest[-1].data["state"] == "succeeded"
    assert len({told.id for told in rest}) == len(rest)


def test_a_batch_is_told_until_all_have_ended(service: Service) -> None:
    place = batch_of(service, 3)
    heard = listen(service, place)
    assert next(heard).data["counts"]["queued"] == 3
    work(service)
    *_, last = heard
    assert last.data["counts"]["succeeded"] == 3


def test_who_comes_again_is_not_told_the_same(service: Service) -> None:
    place = service.upload().headers["Location"]
    first = next(listen(service, place))
    work(service)
    (again,) = listen(service, place, first.id)
    assert again.data["state"] == "succeeded"
    over = service.client.get(f"{place}/events", headers={"Last-Event-ID": again.id})
    assert (over.status_code, over.content) == (204, b"")


def test_silence_is_broken_by_comments(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(events, "KEEPALIVE_S", 0.05)
    place = service.upload().headers["Location"]
    with service.client.stream("GET", f"{place}/events") as answer:
        heard = (line for line in answer.iter_lines() if line.startswith(":"))
        assert [next(heard), next(heard)] == [": ping", ": ping"]


def test_a_stream_ends_in_time(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_STREAM_S", 0.1)
    assert len(list(listen(service, service.upload().headers["Location"]))) == 1


def test_a_stream_ends_with_its_photo(service: Service) -> None:
    place = service.upload().headers["Location"]
    heard = listen(service, place)
    next(heard)
    service.client.delete(place)
    assert list(heard) == []
    assert_problem(service.client.get(f"{place}/events"), "not_found")


def test_only_so_many_listen(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "MAX_EVENT_STREAMS", 1)
    place = service.upload(picture()).headers["Location"]
    heard = listen(service, place)
    next(heard)
    assert_problem(service.client.get(f"{place}/events"), "queue_full")
    work(service)
    list(heard)
    assert service.client.get(f"{place}/events").status_code == 200


def test_no_tenant_takes_all_places(make_service: ServiceFactory) -> None:
    service = make_service(http_require_keys=True)
    places: Admission = service.app.state.services.admission
    taken: Counter[str] = Counter()
    with ExitStack() as held:
        for tenant in ("alice", "bob", "carol"):
            with suppress(Overloaded):
                while True:
                    held.enter_context(places.event_stream_slot(tenant))
                    taken[tenant] += 1
        assert taken == {"alice": 100, "bob": 50, "carol": 25}
        minted = api_keys.generate(PEPPER)
        service.ledger.api_keys.add(minted, "dave", "test", TENANT_SCOPES, None)
        headers = {"X-API-Key": minted.text}
        place = service.upload(headers=headers).headers["Location"]
        with service.client.stream("GET", f"{place}/events", headers=headers) as answer:
            assert next(answer.iter_lines()).startswith("event: progress")
    places.check_event_streams("alice")


def test_a_refusal_for_want_of_room_tells_nothing_of_others(
    make_service: ServiceFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "CACHE_S", -1)
    service = make_service(queue_max_items=7)
    for _ in range(7):
        assert service.upload().status_code == 202
    refused = service.upload()
    assert_problem(refused, "queue_full")
    assert not re.search(r"\d", refused.json()["detail"])
