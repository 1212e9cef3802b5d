"""Photos that are named instead of sent: over real sites and a real S3 service."""

from __future__ import annotations

import base64
import json
import secrets
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import obstore
import pytest
from sqlalchemy import select, update

from photoward.api.ingest import fetcher, ndjson
from photoward.core import fetches
from photoward.core.errors import Unavailable
from photoward.core.jobs import Failure, State, new_id
from photoward.core.ledger import Ledger, webhooks
from photoward.core.ledger.tables import items
from photoward.core.object_keys import original_key
from photoward.core.settings import Settings
from photoward.core.storage.factory import open_bucket
from photoward.core.webhooks import Event
from tests.api.http.service import picture, work
from tests.api.http.test_batches import lines as told_in
from tests.api.http.test_batches import made
from tests.api.http.test_refusals import assert_problem
from tests.api.http.test_uploads import PHOTO, begun, brought, go_on
from tests.support.servers import S3_BUCKET, S3_KEYS
from tests.support.web import Site, site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx
    from obstore.store import S3Store

    from tests.api.http.conftest import ServiceFactory
    from tests.api.http.service import Service

NDJSON = "application/x-ndjson"
WEB = {"fetch_allow_urls": True, "fetch_allow_private": True, "fetch_poll_interval_seconds": 0.05}


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next try comes at once."""
    soon = (timedelta(seconds=0.05),) * 2
    monkeypatch.setattr(fetches, "RETRY_DELAYS", soon)
    monkeypatch.setattr(fetcher, "RETRY_DELAYS", soon)


@pytest.fixture
def web() -> Iterator[Site]:
    with site(a_png=picture(), b_png=picture(size=(20, 10)), no_txt=b"no picture at all") as found:
        yield found


@pytest.fixture
def fetching(make_service: ServiceFactory) -> Service:
    return make_service(**WEB)


def send(
    service: Service,
    batch: dict[str, Any],
    wanted: list[Any] | bytes,
    **headers: str,
) -> httpx.Response:
    body = wanted
    if isinstance(wanted, list):
        body = b"\n".join(json.dumps(one).encode() for one in wanted)
    place = f"{batch['links']['self']}/manifest"
    return service.client.post(place, content=body, headers={"Content-Type": NDJSON, **headers})


def arrived(service: Service, batch: dict[str, Any], within_s: float = 20) -> dict[str, int]:
    """Counts, once nothing is still to come."""
    until = time.monotonic() + within_s
    while True:
        internal = service.ledger.batches.get("default", batch["id"]).counts
        if State.RECEIVED not in internal:
            counts: dict[str, int] = service.client.get(batch["links"]["self"]).json()["counts"]
            return counts
        assert time.monotonic() < until, internal
        time.sleep(0.02)


def results(service: Service, batch: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = told_in(service.client.get(batch["links"]["results"]))
    return {one["file"]: one for one in found}


def codes(service: Service, batch: dict[str, Any]) -> dict[str, str | None]:
    return {
        name: one["problem"] and one["problem"]["code"]
        for name, one in results(service, batch).items()
    }


def test_what_is_named_is_fetched_and_protected(fetching: Service, web: Site) -> None:
    batch = made(fetching, options={"preset": "subtle", "label": "beach"})
    told = told_in(send(fetching, batch, [
        {"url": f"{web.url}/a.png", "file": "day/1.png", "label": "dog"},
        {"url": f"{web.url}/b.png"},
    ]))  # fmt: skip
    assert told[-1] == {"accepted": 2, "refused": 0}
    assert [(one["line"], one["file"]) for one in told[:2]] == [(1, "day/1.png"), (2, "b.png")]
    assert arrived(fetching, batch) == {"queued": 2}
    while work(fetching):
        """Until all are done."""
    found = results(fetching, batch)
    assert {one["id"] for one in found.values()} == {one["id"] for one in told[:2]}
    assert {name: one["label_used"] for name, one in found.items()} == {
        "day/1.png": "dog", "b.png": "beach"
    }  # fmt: skip
    item = fetching.client.get(f"/v1/images/{told[0]['id']}").json()
    assert (item["options"]["preset"], item["source"]["width"]) == ("subtle", 40)
    assert item["source"]["size"] == len(picture())
    assert web.asked == {"/a.png": 1, "/b.png": 1}
    assert fetching.ledger.fetches.claim(timedelta(hours=1)) is None


def changed(service: Service, item_id: str, options: Callable[[Any], Any]) -> None:
    """Let somebody else have written the options of an item that is still to come."""
    assert isinstance(service.ledger, Ledger)
    mine = items.c.id == item_id
    with service.ledger._engine.begin() as connection:
        kept = connection.execute(select(items.c.options).where(mine)).scalar_one()
        connection.execute(update(items).where(mine).values(options=options(kept)))


def test_an_odd_row_costs_nobody_else_anything(
    make_service: ServiceFactory, web: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make_service(**WEB)
    batch = made(service)
    wanted: list[Any] = [{"url": f"{web.url}/{name}.png"} for name in "ab"]
    with monkeypatch.context() as patch:
        patch.setattr(service.ledger.fetches, "claim", lambda _lease: None)
        newer, odd = (one["id"] for one in told_in(send(service, batch, wanted))[:2])
        changed(service, newer, lambda kept: {**kept, "dither": 1})
        changed(service, odd, lambda _kept: "no options at all")
    until = time.monotonic() + 20
    while service.ledger.batches.get("default", batch["id"]).counts.get(State.QUEUED) != 1:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert service.ledger.items.get("default", newer).state is State.QUEUED
    later = made(service)
    send(service, later, wanted)
    assert arrived(service, later) == {"queued": 2}


def test_until_it_has_come_a_photo_is_received(fetching: Service, web: Site) -> None:
    web.hold.clear()
    web.files["/held/a.png"] = picture()
    batch = made(fetching)
    (told, _) = told_in(send(fetching, batch, [{"url": f"{web.url}/held/a.png"}]))
    stands = fetching.client.get(batch["links"]["self"]).json()
    assert (stands["counts"], stands["ended"], stands["eta_s"]) == ({"queued": 1}, 0, None)
    image = fetching.client.get(f"/v1/images/{told['id']}").json()
    assert (image["state"], image["source"]["size"]) == ("queued", 0)
    assert_problem(fetching.client.get(f"/v1/images/{told['id']}/content"), "not_ready")
    web.hold.set()
    assert arrived(fetching, batch) == {"queued": 1}


def test_one_bad_source_never_stops_the_rest(
    make_service: ServiceFactory, web: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "BATCH_QUIET_PERIOD", timedelta(0))
    service = make_service(**WEB, upload_max_bytes=5000)
    hook = service.ledger.webhooks.add(
        secrets.token_hex(8), "default", "https://a.example",
        {Event.IMAGE_FAILED, Event.BATCH_COMPLETED},
    )  # fmt: skip
    web.files["/large.png"] = picture() + bytes(5000)
    web.files["/cut.png"] = picture()[:20]
    web.files["/empty.png"] = b""
    web.statuses |= {"/moved.png": [302], "/secret.png": [403], "/broken.png": [500, 503, 429]}
    web.statuses["/shaky.png"] = [500, 503]
    web.files["/shaky.png"] = picture()
    web.location = f"{web.url}/a.png"
    names = ("a.png", "no.txt", "gone.png", "large.png", "cut.png", "empty.png", "moved.png",
             "secret.png", "broken.png", "shaky.png")  # fmt: skip
    batch = made(service)
    wanted: list[Any] = [{"url": f"{web.url}/{name}"} for name in names]
    wanted.append({"url": "http://127.0.0.1:1/nobody.png"})
    assert told_in(send(service, batch, wanted))[-1]["accepted"] == 11
    assert arrived(service, batch) == {"queued": 2, "failed": 9}
    assert codes(service, batch) == {
        "a.png": None, "shaky.png": None, "no.txt": "not_an_image", "gone.png": "source_missing",
        "large.png": "body_too_large", "cut.png": "truncated", "empty.png": "empty_body",
        "moved.png": "source_missing", "secret.png": "source_missing",
        "broken.png": "source_unreachable", "nobody.png": "source_unreachable",
    }  # fmt: skip
    assert (web.asked["/broken.png"], web.asked["/gone.png"], web.asked["/a.png"]) == (3, 1, 1)
    while work(service):
        """Until all are done."""
    service.ledger.webhooks.list_due()
    events = [
        one.event
        for one in service.ledger.webhooks.list_deliveries("default", hook.id, after=0, limit=99)
    ]
    assert events == [Event.IMAGE_FAILED] * 9 + [Event.BATCH_COMPLETED]
    assert not [key for key in service.kept() if key.startswith("originals/")][2:]
    metrics = service.client.get("/metrics").text
    assert 'photoward_fetches_total{outcome="source_unreachable",source="url"}' in metrics


def test_what_could_not_be_fetched_is_tried_again_and_no_bad_file(
    fetching: Service, web: Site
) -> None:
    web.statuses["/a.png"] = [500] * 3
    web.statuses["/b.png"] = [404]
    batch = made(fetching)
    send(fetching, batch, [{"url": f"{web.url}/{name}"} for name in ("a.png", "b.png", "no.txt")])
    assert arrived(fetching, batch) == {"failed": 3}
    before = results(fetching, batch)
    answer = fetching.client.post(f"{batch['links']['self']}/retry").json()
    assert (answer["total"], answer["counts"]["failed"]) == (3, 1)
    assert arrived(fetching, batch) == {"queued": 2, "failed": 1}
    after = results(fetching, batch)
    assert after["no.txt"] == before["no.txt"]
    assert after["a.png"]["id"] != before["a.png"]["id"]
    assert_problem(fetching.client.get(f"/v1/images/{before['a.png']['id']}"), "not_found")
    assert web.asked["/no.txt"] == 1


def test_a_cancelled_batch_fetches_nothing_more(fetching: Service, web: Site) -> None:
    web.hold.clear()
    batch = made(fetching)
    names = [f"held/{n}.png" for n in range(8)]
    web.files |= {f"/{name}": picture() for name in names}
    send(fetching, batch, [{"url": f"{web.url}/{name}"} for name in names])
    until = time.monotonic() + 10
    while not web.asked and time.monotonic() < until:
        time.sleep(0.02)
    stands = fetching.client.post(f"{batch['links']['self']}/cancel").json()
    assert stands["counts"] == {"canceled": 8}
    web.hold.set()
    time.sleep(0.5)
    assert fetching.client.get(batch["links"]["self"]).json()["counts"] == {"canceled": 8}
    assert sum(web.asked.values()) <= fetcher.THREADS
    assert fetching.ledger.items.count_by_state() == {State.CANCELLED: 8}


def test_what_is_deleted_while_it_comes_leaves_nothing(fetching: Service, web: Site) -> None:
    web.hold.clear()
    web.files["/held/a.png"] = picture()
    (told, _) = told_in(send(fetching, made(fetching), [{"url": f"{web.url}/held/a.png"}]))
    while not web.asked:
        time.sleep(0.02)
    assert fetching.client.delete(f"/v1/images/{told['id']}").status_code == 204
    web.hold.set()
    time.sleep(0.5)
    assert fetching.kept() == []


def test_a_full_queue_is_waited_for(make_service: ServiceFactory, web: Site) -> None:
    service = make_service(**WEB, queue_max_items=1)
    service.upload()
    batch = made(service)
    names = [f"{n}.png" for n in range(3)]
    web.files |= {f"/{name}": picture() for name in names}
    send(service, batch, [{"url": f"{web.url}/{name}"} for name in names])
    time.sleep(0.5)
    assert service.client.get(batch["links"]["self"]).json()["counts"] == {"queued": 3}
    assert not web.asked
    assert work(service) == 1
    assert "failed" not in arrived(service, batch)
    assert sum(web.asked.values()) == 3


def test_a_quota_ends_what_goes_beyond_it(fetching: Service, web: Site) -> None:
    fetching.ledger.tenants.set_quota("default", 0.0013)
    batch = made(fetching)
    send(fetching, batch, [{"url": f"{web.url}/a.png"}])
    assert arrived(fetching, batch) == {"queued": 1}
    send(fetching, batch, [{"url": f"{web.url}/b.png"}])
    assert arrived(fetching, batch) == {"queued": 1, "failed": 1}
    assert codes(fetching, batch)["b.png"] == "over_quota"
    assert len(fetching.kept()) == 1
    fetching.ledger.tenants.set_quota("default", None)
    fetching.client.post(f"{batch['links']['self']}/retry")
    assert arrived(fetching, batch) == {"queued": 2}


def test_a_store_that_is_away_costs_no_try(
    fetching: Service, web: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, put = fetching.store, fetching.store.put
    failures = iter(range(6))

    def shaky(key: str, data: Any, **more: Any) -> bool:  # noqa: ANN401  # passed on
        if next(failures, None) is not None:
            raise Unavailable("The store does not answer.")
        return put(key, data, **more)

    monkeypatch.setattr(store, "put", shaky)
    batch = made(fetching)
    send(fetching, batch, [{"url": f"{web.url}/a.png"}])
    assert arrived(fetching, batch) == {"queued": 1}
    assert web.asked["/a.png"] == 7


def test_the_same_under_the_same_key_is_done_once(fetching: Service, web: Site) -> None:
    batch = made(fetching)
    wanted = [{"url": f"{web.url}/a.png"}, {"url": f"{web.url}/b.png"}]
    key = {"Idempotency-Key": "monday"}
    first = send(fetching, batch, wanted, **key)
    assert arrived(fetching, batch) == {"queued": 2}
    again = send(fetching, batch, wanted, **key)
    assert again.text == first.text
    for other in ([*wanted, {"url": f"{web.url}/no.txt"}], wanted[:1], wanted[::-1]):
        assert_problem(send(fetching, batch, other, **key), "request_differs")
    assert arrived(fetching, batch) == {"queued": 2}
    assert told_in(send(fetching, batch, wanted))[0]["id"] != told_in(first)[0]["id"]
    assert arrived(fetching, batch) == {"queued": 4}


def test_uploads_that_became_photos_are_told_again_under_the_same_key(fetching: Service) -> None:
    first, second = (brought(fetching).rpartition("/")[2] for _ in range(2))
    headers = {"Idempotency-Key": "monday"}

    def made_of(*uploads: str) -> httpx.Response:
        wanted = {"name": "n", "images": [{"upload": upload} for upload in uploads]}
        return fetching.client.post("/v1/batches", json=wanted, headers=headers)

    batch = made_of(first).json()
    assert arrived(fetching, batch) == {"queued": 1}
    again = made_of(first).json()
    assert (again["id"], again["lines"]) == (batch["id"], batch["lines"])
    assert_problem(made_of(second), "request_differs")
    assert_problem(made_of(first, second), "request_differs")
    assert arrived(fetching, batch) == {"queued": 1}


def test_what_is_no_text_is_refused_alone_and_the_answer_is_whole(fetching: Service) -> None:
    batch = made(fetching)
    upload = brought(fetching).rpartition("/")[2]
    bad = (
        rb'{"key": "a/b", "file": "\ud800"}',
        rb'{"\ud800": 1, "\ud800": 1}',
        rb'{"file": "\udfff"}',
    )
    good = b'{"upload": "%s"}' % upload.encode()
    told = told_in(send(fetching, batch, b"\n".join([*bad, good])))
    assert {one["problem"]["code"] for one in told[:3]} == {"malformed_request"}
    assert told[-1] == {"accepted": 1, "refused": 3}


URL = "https://photos.example"
BAD: dict[str, tuple[bytes, str, str | None]] = {
    "no JSON": (b"nonsense", "malformed_request", None),
    "no object": (b"[1]", "malformed_request", None),
    "a number": (b"7", "malformed_request", None),
    "nothing": (b"null", "malformed_request", None),
    "not UTF-8": (b'{"url": "\xff"}', "malformed_request", None),
    "too deep": (b"[" * 9000, "malformed_request", None),
    "a number too long": (b'{"epsilon": ' + b"9" * 9000 + b"}", "malformed_request", None),
    "too long": (b'{"url": "' + b"x" * ndjson.MAX_LINE_BYTES + b'"}', "malformed_request", None),
    "no source": (b'{"file": "a.png"}', "invalid_option", None),
    "two sources": (b'{"url": "https://a.example/x", "key": "a/b"}', "invalid_option", None),
    "an empty source": (b'{"url": ""}', "invalid_option", "url"),
    "a source that is no text": (b'{"url": 7}', "invalid_option", "url"),
    "a file that is no text": (b'{"url": "https://a.example/x", "file": []}', "invalid_option",
                               "file"),
    "an unknown field": (b'{"url": "https://a.example/x", "colour": 1}', "invalid_option",
                         "colour"),
    "a field twice": (b'{"url": "https://a.example/x", "label": "a", "label": "b"}',
                      "invalid_option", "label"),
    "a preset": (b'{"url": "https://a.example/x", "preset": "brutal"}', "unknown_preset", "preset"),
    "no number": (b'{"url": "https://a.example/x", "epsilon": NaN}', "invalid_option", "epsilon"),
    "a label": (b'{"url": "https://a.example/x", "label": "\\ud800"}',
                "malformed_request", "label"),
    "plain http": (b'{"url": "http://a.example/x"}', "source_blocked", "url"),
    "loopback": (b'{"url": "https://127.0.0.1/x"}', "source_blocked", "url"),
    "a password": (b'{"url": "https://u:p@a.example/x"}', "source_blocked", "url"),
    "a NUL": (b'{"url": "https://a.example/\\u0000"}', "source_blocked", "url"),
    "a long URL": (b'{"url": "https://a.example/' + b"x" * 2048 + b'"}', "source_blocked", "url"),
    "a closed bucket": (b'{"key": "other/a.png"}', "source_blocked", "key"),
    "a key outside": (b'{"key": "inbox/elsewhere/a.png"}', "source_blocked", "key"),
    "a key that climbs": (b'{"key": "inbox/in/../secret.png"}', "source_blocked", "key"),
    "a key that only begins so": (b'{"key": "inbox/inside.png"}', "source_blocked", "key"),
    "a bucket alone": (b'{"key": "inbox"}', "source_blocked", "key"),
    "a folder": (b'{"key": "inbox/in/"}', "source_blocked", "key"),
    "another tenant's": (b'{"key": "shared/bob/a.png"}', "source_blocked", "key"),
}  # fmt: skip


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    from tests.api.http.service import serving  # noqa: PLC0415

    with serving(
        tmp_path_factory.mktemp("strict"), fetch_allow_urls=True,
        fetch_buckets=("s3://inbox/in", "s3://shared/{tenant}"),
    ) as made:  # fmt: skip
        yield made


@pytest.mark.parametrize("name", BAD)
def test_a_line_is_refused_alone(name: str, strict: Service) -> None:
    line, code, field = BAD[name]
    good = b'{"url": "https://a.example/good"}', b'{"key": "shared/default/x/good.png"}'
    told = told_in(send(strict, made(strict), b"\n".join([good[0], b"", line, good[1]])))
    assert told[-1] == {"accepted": 2, "refused": 1}
    assert [one["line"] for one in told[:3]] == [1, 3, 4]
    problem = told[1]["problem"]
    assert (problem["code"], problem.get("field")) == (code, field), problem
    assert told[2]["file"] == "x/good.png"


def test_duplicates_are_refused(strict: Service) -> None:
    wanted = [
        {"url": f"{URL}/1"}, {"url": f"{URL}/1"}, {"url": f"{URL}/2", "file": "a.png"},
        {"url": f"{URL}/3", "file": "a.png"}, {"url": f"{URL}/4", "preset": "brutal"},
        {"url": f"{URL}/4"}, {"key": "inbox/in/1"}, {"key": "inbox/in/1", "label": "x"},
    ]  # fmt: skip
    told = told_in(send(strict, made(strict), wanted))
    assert {one["line"]: one["problem"]["field"] for one in told[:-1] if "problem" in one} == {
        2: "url", 4: "file", 5: "preset", 8: "key"
    }  # fmt: skip


def test_a_manifest_may_be_a_list(strict: Service) -> None:
    place = f"{made(strict)['links']['self']}/manifest"
    told = told_in(strict.client.post(place, json=[{"url": f"{URL}/1"}, 7, {}, {"key": "x/y"}]))
    assert told[-1] == {"accepted": 1, "refused": 3}
    assert [one["line"] for one in told[:-1]] == [1, 2, 3, 4]
    for body in (b"{}", b"7", b"[", b"\xff", b"", b"[" * 100_000):
        answer = strict.client.post(
            place, content=body, headers={"Content-Type": "application/json"}
        )
        assert_problem(answer, "malformed_request")


def test_a_manifest_has_a_type_and_limits(strict: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = made(strict)
    assert_problem(
        send(strict, batch, b"{}", **{"Content-Type": "text/plain"}), "unsupported_content_type"
    )
    assert told_in(send(strict, batch, b"")) == [{"accepted": 0, "refused": 0}]
    monkeypatch.setattr(ndjson, "MAX_LIST_BYTES", 100)
    long = json.dumps([{"url": URL + "/x" * 99}]).encode()
    answer = send(strict, batch, long, **{"Content-Type": "application/json"})
    assert_problem(answer, "body_too_large")
    monkeypatch.setattr(ndjson, "MAX_LINES", 2)
    for kind, body in ((NDJSON, b"{}\n" * 3), ("application/json", b"[1, 2, 3]")):
        assert_problem(send(strict, batch, body, **{"Content-Type": kind}), "body_too_large")
    monkeypatch.setattr(ndjson, "MAX_BYTES", 10)
    assert_problem(send(strict, batch, b"{}\n" * 4), "body_too_large")
    assert strict.client.get(batch["links"]["self"]).json()["total"] == 0


def test_only_so_much_may_wait(make_service: ServiceFactory, web: Site) -> None:
    web.hold.clear()
    service = make_service(**WEB, fetch_max_pending=2)
    batch = made(service)
    web.files |= {f"/held/{n}": picture() for n in range(3)}
    three = [{"url": f"{web.url}/held/{n}"} for n in range(3)]
    assert_problem(send(service, batch, three), "queue_full")
    assert told_in(send(service, batch, three[:2]))[-1]["accepted"] == 2
    assert_problem(send(service, batch, three[2:]), "queue_full")


def test_nothing_is_fetched_unless_it_is_allowed(service: Service, web: Site) -> None:
    batch = made(service)
    told = told_in(send(service, batch, [{"url": f"{web.url}/a.png"}, {"key": "inbox/a.png"}]))
    assert {one["problem"]["code"] for one in told[:2]} == {"source_blocked"}
    assert not web.asked


def test_what_is_no_longer_allowed_is_not_fetched(make_service: ServiceFactory, web: Site) -> None:
    service = make_service()
    batch = made(service)
    options = service.app.state.services.catalogue.options()
    expected = fetches.FetchRequest(new_id(), "url", f"{web.url}/a.png", options, "a.png")
    service.ledger.fetches.enqueue("default", batch["id"], [expected])
    service.app.state.services.fetch_wake_up.set()
    assert arrived(service, batch) == {"failed": 1}
    assert codes(service, batch) == {"a.png": "source_blocked"}


def test_a_name_that_leads_inside_is_not_fetched(make_service: ServiceFactory) -> None:
    service = make_service(fetch_allow_urls=True, fetch_poll_interval_seconds=0.05)
    batch = made(service)
    told = told_in(send(service, batch, [{"url": "https://localhost/a.png"}]))
    assert told[-1]["accepted"] == 1, "that shows only when it is resolved"
    assert arrived(service, batch) == {"failed": 1}
    found = codes(service, batch)
    assert found == {"a.png": "source_unreachable"}, "as for a name that does not exist"


def test_a_slow_source_is_given_up(make_service: ServiceFactory, web: Site) -> None:
    service = make_service(**WEB, fetch_timeout_seconds=0.3)
    web.hold.clear()
    web.files["/held/a.png"] = picture()
    batch = made(service)
    send(service, batch, [{"url": f"{web.url}/held/a.png"}, {"url": f"{web.url}/b.png"}])
    assert arrived(service, batch) == {"failed": 1, "queued": 1}
    assert codes(service, batch)["a.png"] == "source_unreachable"


def test_who_died_over_it_three_times_does_not_die_again(
    make_service: ServiceFactory, web: Site
) -> None:
    service = make_service(
        **WEB | {"fetch_poll_interval_seconds": 60}
    )  # it looks when it is told to
    time.sleep(0.2)
    batch = made(service)
    options = service.app.state.services.catalogue.options()
    expected = fetches.FetchRequest(new_id(), "url", f"{web.url}/a.png", options, "a.png")
    service.ledger.fetches.enqueue("default", batch["id"], [expected])
    for _ in range(fetches.MAX_FETCH_ATTEMPTS):
        assert service.ledger.fetches.claim(timedelta(0)) is not None
    service.app.state.services.fetch_wake_up.set()
    assert arrived(service, batch) == {"failed": 1}
    assert codes(service, batch) == {"a.png": "worker_lost"}
    assert not web.asked
    service.client.post(f"{batch['links']['self']}/retry")
    assert arrived(service, batch) == {"queued": 1}


def test_a_fault_of_ours_ends_no_thread(
    fetching: Service, web: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(fetching.app.state.services.sources["url"], "opened", broken)
    batch = made(fetching)
    send(fetching, batch, [{"url": f"{web.url}/a.png"}])
    assert arrived(fetching, batch) == {"failed": 1}
    assert codes(fetching, batch) == {"a.png": "internal_error"}
    monkeypatch.undo()
    fetching.client.post(f"{batch['links']['self']}/retry")
    assert arrived(fetching, batch) == {"queued": 1}


def test_what_fails_after_it_has_come_is_retried_as_ever(fetching: Service, web: Site) -> None:
    batch = made(fetching)
    send(fetching, batch, [{"url": f"{web.url}/a.png"}])
    assert arrived(fetching, batch) == {"queued": 1}
    (item,) = fetching.ledger.items.claim(limit=9, max_megapixels=9, lease=timedelta(hours=1))
    fetching.ledger.items.fail(
        str(item.lease_token), [Failure(item.id, "worker_lost", "It went wrong.")]
    )
    fetching.client.post(f"{batch['links']['self']}/retry")
    assert arrived(fetching, batch) == {"queued": 1}
    assert web.asked["/a.png"] == 1
    assert original_key("default", item.id) not in fetching.kept()


@pytest.fixture
def inbox(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> tuple[S3Store, str]:
    """A bucket and a prefix of one's own."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    for name, value in S3_KEYS.items():
        monkeypatch.setenv(name, value)
    prefix = secrets.token_hex(8)
    return open_bucket(S3_BUCKET, prefix, endpoint=Settings().s3_endpoint_url), prefix


NAMES = ("cats/1.png", "cats/ü #2 %.png", "a b/c+d.png")


def test_keys_of_a_bucket_are_fetched(
    make_service: ServiceFactory, inbox: tuple[S3Store, str]
) -> None:
    bucket, prefix = inbox
    service = make_service(
        fetch_buckets=(f"s3://{S3_BUCKET}/{prefix}/{{tenant}}",), fetch_poll_interval_seconds=0.05
    )
    for name in NAMES:
        obstore.put(bucket, f"default/{name}", picture())
    obstore.put(bucket, "default/no.txt", b"no picture")
    obstore.put(bucket, "other/1.png", picture())
    root = f"{S3_BUCKET}/{prefix}"
    batch = made(service)
    wanted = [{"key": f"{root}/default/{name}"} for name in (*NAMES, "no.txt", "gone.png")]
    wanted.append({"key": f"{root}/other/1.png"})
    told = told_in(send(service, batch, wanted))
    assert told[-1] == {"accepted": 5, "refused": 1}
    assert told[5]["problem"]["code"] == "source_blocked"
    assert arrived(service, batch) == {"queued": 3, "failed": 2}
    assert codes(service, batch) == {
        **dict.fromkeys(NAMES), "no.txt": "not_an_image", "gone.png": "source_missing"
    }  # fmt: skip


def test_a_bucket_that_is_away_is_not_the_senders_fault(
    make_service: ServiceFactory, inbox: tuple[S3Store, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert inbox
    service = make_service(fetch_buckets=("s3://no-such-bucket",), fetch_poll_interval_seconds=0.05)
    batch = made(service)
    send(service, batch, [{"key": "no-such-bucket/a.png"}])
    assert arrived(service, batch) == {"failed": 1}
    assert codes(service, batch) == {"a.png": "source_unreachable"}
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    service = make_service(fetch_buckets=(f"s3://{S3_BUCKET}",), fetch_poll_interval_seconds=0.05)
    batch = made(service)
    send(service, batch, [{"key": f"{S3_BUCKET}/a.png"}])
    assert arrived(service, batch) == {"failed": 1}
    assert codes(service, batch) == {"a.png": "source_unreachable"}


def test_uploads_become_photos_once(fetching: Service) -> None:
    told = base64.b64encode("cat ü.png".encode()).decode()
    named = brought(fetching, PHOTO, Upload_Metadata=f"filename {told}").rpartition("/")[2]
    bad = brought(fetching, b"no picture at all").rpartition("/")[2]
    cut = begun(fetching).rpartition("/")[2]
    batch = made(fetching)
    wanted = [{"upload": named, "label": "cat"}, {"upload": bad}, {"upload": cut},
              {"upload": new_id()}, {"upload": "nonsense\0"}, {"upload": named}]  # fmt: skip
    answer = told_in(send(fetching, batch, wanted))
    assert answer[-1] == {"accepted": 3, "refused": 3}
    problems = [one["problem"]["code"] for one in answer[3:6]]
    assert problems == ["source_missing", "source_missing", "invalid_option"]
    assert arrived(fetching, batch) == {"queued": 1, "failed": 2}
    found = told_in(fetching.client.get(batch["links"]["results"]))
    assert [one["file"] for one in found] == ["cat ü.png", None, None]
    assert [one["problem"] and one["problem"]["code"] for one in found] == [
        None, "not_an_image", "source_missing"
    ]  # fmt: skip
    assert fetching.ledger.uploads.get("default", named).item_id == answer[0]["id"]
    again = told_in(send(fetching, batch, [{"upload": named}]))
    assert again[0]["problem"]["code"] == "source_missing"
    place = f"/v1/uploads/{cut}"
    assert go_on(fetching, place, PHOTO).status_code == 204
    fetching.client.post(f"{batch['links']['self']}/retry")
    assert arrived(fetching, batch) == {"queued": 2, "failed": 1}


def test_of_two_lines_that_use_an_upload_one_gets_it(fetching: Service) -> None:
    upload = brought(fetching).rpartition("/")[2]
    batches = [made(fetching) for _ in range(2)]
    options = fetching.app.state.services.catalogue.options()
    for batch in batches:
        expected = fetches.FetchRequest(new_id(), "upload", upload, options, None)
        fetching.ledger.fetches.enqueue("default", batch["id"], [expected])
    fetching.app.state.services.fetch_wake_up.set()
    counts = [arrived(fetching, batch) for batch in batches]
    assert sorted(counts, key=str) == [{"failed": 1}, {"queued": 1}]
    originals = [key for key in fetching.kept() if key.startswith("originals/")]
    assert len(originals) == 1


@pytest.mark.parametrize("kind", ["application/json", NDJSON])
def test_a_batch_may_be_made_with_its_manifest(fetching: Service, web: Site, kind: str) -> None:
    items = [{"url": f"{web.url}/a.png", "label": "dog"}, {"url": 1}, {"url": f"{web.url}/b.png"}]
    body = "\n".join(map(json.dumps, items)) if kind == NDJSON else json.dumps({"images": items})

    def asked() -> dict[str, Any]:
        answer = fetching.client.post(
            "/v1/batches", content=body, headers={"Content-Type": kind, "Idempotency-Key": "pets"},
            params={"name": "pets", "label": "cat", "preset": "subtle"},
        )  # fmt: skip
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    batch, again = asked(), asked()
    assert (batch["name"], batch["counts"], batch["total"]) == ("pets", {"queued": 2}, 2)
    first, second, third = batch["lines"]
    assert (second["line"], second["id"], second["problem"]["field"]) == (2, None, "url")
    assert (first["file"], first["problem"], third["line"]) == ("a.png", None, 3)
    assert [one["id"] for one in again["lines"]] == [first["id"], None, third["id"]]
    assert arrived(fetching, batch) == {"queued": 2}
    while work(fetching):
        """Until all are done."""
    labels = {name: one["label_used"] for name, one in results(fetching, batch).items()}
    assert labels == {"a.png": "dog", "b.png": "cat"}
    assert web.asked == {"/a.png": 1, "/b.png": 1}


def test_what_the_body_says_of_a_batch_goes_before_the_query(service: Service) -> None:
    made = service.client.post(
        "/v1/batches", params={"name": "a", "preset": "subtle", "label": "cat"},
        json={"name": "b", "options": {"epsilon": 4}},
    ).json()  # fmt: skip
    assert (made["name"], made["options"]) == ("b", {"epsilon": 4, "label": "cat"})
    assert made["lines"] == []
    twice = service.client.post("/v1/batches?label=cat&label=dog", json={})
    assert_problem(twice, "invalid_option")


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        ("application/json", b'{"images": [', "malformed_request"),
        ("application/json", b'{"images": {}}', "invalid_option"),
        ("application/json", b'{"name": "a", "name": "b"}', "invalid_option"),
        ("application/json", b'{"options": {"label": "a", "label": "b"}}', "invalid_option"),
        ("application/json", b'[{"key": "a"}]', "malformed_request"),
        ("application/json", b'{"images": [%s]}' % b",".join([b"0"] * 10_001), "body_too_large"),
        (
            "application/json",
            b'{"images": ["%s"]}' % bytes(ndjson.MAX_LIST_BYTES),
            "body_too_large",
        ),
        (NDJSON, b"\n" * 10_001, "body_too_large"),
        ("text/csv", b"a,b", "unsupported_content_type"),
        ("", b"{}", "unsupported_content_type"),
    ],
)
def test_no_batch_is_made_of_a_body_that_is_none(
    service: Service, kind: str, body: bytes, code: str
) -> None:
    headers = {"Content-Type": kind, "Idempotency-Key": "k"}
    assert_problem(service.client.post("/v1/batches", content=body, headers=headers), code)
    made = service.client.post("/v1/batches", json={"name": "n"}, headers={"Idempotency-Key": "k"})
    assert made.status_code == 201, "there is nothing of this key yet"


def test_no_batch_is_made_where_its_photos_have_no_room(make_service: ServiceFactory) -> None:
    service = make_service(fetch_max_pending=2)
    headers = {"Idempotency-Key": "k"}
    items = [{"upload": new_id()} for _ in range(3)]
    assert_problem(
        service.client.post("/v1/batches", json={"images": items}, headers=headers), "queue_full"
    )
    made = service.client.post("/v1/batches", json={"name": "n"}, headers=headers)
    assert made.status_code == 201
