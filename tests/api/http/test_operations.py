from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from dataclasses import asdict
from typing import TYPE_CHECKING, NoReturn

import pytest
from prometheus_client.parser import text_string_to_metric_families

from photoward.api.http.routes.operations import QueueCollector
from photoward.core.catalogue import METHODS, PRESETS
from photoward.core.errors import PROBLEMS, Unavailable
from photoward.core.telemetry import serve_metrics
from tests.api.http.service import Recorded
from tests.api.http.test_refusals import assert_problem
from tests.support.servers import free_ports

if TYPE_CHECKING:
    from pathlib import Path

    from tests.api.http.conftest import ServiceFactory
    from tests.api.http.service import Service


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_alive_and_ready(service: Service) -> None:
    assert service.client.get("/livez").json() == {"status": "alive"}
    service.ledger.workers.record_heartbeat("one")
    ready = service.client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    parts = {"ledger": "up", "store": "up", "broker": "up", "worker": "up"}
    assert ready.json()["components"] == parts


def test_without_a_worker_that_was_heard_of_lately_it_is_degraded(
    make_service: ServiceFactory,
) -> None:
    service = make_service(worker_reconcile_interval_seconds=0.05)

    def told() -> tuple[str, str]:
        ready = service.client.get("/readyz")
        assert ready.status_code == 200, "photos are still taken"
        return ready.json()["status"], ready.json()["components"]["worker"]

    assert told() == ("degraded", "down")
    service.ledger.workers.record_heartbeat("one")
    assert told() == ("ready", "up")
    time.sleep(0.3)
    assert told() == ("degraded", "down")


def test_without_the_broker_it_is_degraded(make_service: ServiceFactory) -> None:
    ready = make_service(wake_ups=Recorded(up=False)).client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    assert ready.json()["components"]["broker"] == "down"


@pytest.mark.parametrize("part", ["ledger", "store"])
def test_without_ledger_or_store_it_is_not_ready(
    service: Service, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    def fail() -> NoReturn:
        raise Unavailable("Away at user:secret@host.")

    monkeypatch.setattr(getattr(service, part), "check", fail)
    answer = service.client.get("/readyz")
    assert_problem(answer, "unavailable")
    assert part in answer.json()["detail"]
    assert "secret" not in answer.text
    assert answer.headers["Retry-After"]
    assert service.client.get("/livez").status_code == 200


def test_metrics_count_requests_by_route_and_items_by_state(make_service: ServiceFactory) -> None:
    service = make_service()
    before = samples(service.client.get("/metrics").text)
    location = service.upload(params={"label": "secret-label"}).headers["Location"]
    service.client.get(location)
    service.client.get("/wp-login.php")
    answer = service.client.get("/metrics")
    after = samples(answer.text)

    def grown(method: str, route: str, status: str) -> float:
        labels = frozenset({("method", method), ("route", route), ("status", status)})
        key = ("photoward_http_requests_total", labels)
        return after[key] - before.get(key, 0)

    assert answer.headers["Content-Type"].startswith("text/plain")
    assert grown("POST", "/v1/images", "202") == 1
    assert grown("GET", "/v1/images/{image_id}", "200") == 1
    assert grown("GET", "unmatched", "404") == 1
    assert after["photoward_items", frozenset({("state", "queued")})] == 1
    assert after["photoward_queued_megapixels", frozenset({("priority", "interactive")})] > 0
    assert after["photoward_queued_items", frozenset({("priority", "bulk")})] == 0
    assert "secret-label" not in answer.text
    assert location.rpartition("/")[2] not in answer.text


def test_metrics_do_without_the_ledger(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> NoReturn:
        raise Unavailable("Away.")

    monkeypatch.setattr(service.ledger.items, "count_by_state", fail)
    found = samples(service.client.get("/metrics").text)
    assert found["photoward_ledger_up", frozenset()] == 0


COUNT = "from photoward.core.telemetry import JOB_GROUP_ITEMS; JOB_GROUP_ITEMS.observe(7)"
SCRAPE = (
    "from photoward.api.http.routes.operations import _scrape\n"
    "class Ledger:\n"
    "    class items:\n"
    "        count_by_state = staticmethod(dict)\n"
    "        queued_work = staticmethod(dict)\n"
    "print(_scrape(Ledger()).decode())"
)


def test_processes_that_share_a_folder_count_together(tmp_path: Path) -> None:
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", COUNT], env=env, check=True)
    told = subprocess.run(
        [sys.executable, "-c", SCRAPE], env=env, check=True, capture_output=True, text=True
    )
    assert samples(told.stdout)["photoward_job_group_items_sum", frozenset()] == 14


def test_the_catalogue_is_told(service: Service) -> None:
    get = service.client.get
    methods = {method.pop("name"): method for method in get("/v1/methods").json()["methods"]}
    assert list(methods) == list(METHODS)
    assert [name for name, method in methods.items() if method["networks"]] == [
        "anchor",
        "sem+anchor",
    ]
    assert (methods["cuda"]["bounded"], methods["cuda"]["presets"]) == (False, [])
    assert methods["cuda"]["targets"] == ["filter"]
    assert [name for name, method in methods.items() if method["baseline"]] == ["em", "rem"]
    holding = [name for name, method in methods.items() if method["adversarial"]]
    assert holding == [], "at their best epoch adversarial trainers keep half, whatever the method"
    surrogates = get("/v1/surrogates").json()
    assert surrogates["default"] == "test"
    assert surrogates["surrogates"][0]["classes"] == ["cat", "dog"]
    limits = get("/v1/limits").json()
    assert limits["presets"] == {name: asdict(one) for name, one in PRESETS.items()}
    assert {"gif", "tiff", "heic"} == limits["inputs"].keys() - limits["formats"].keys()
    assert limits["max_body_bytes"] == 25 * 2**20


@pytest.mark.parametrize("code", PROBLEMS)
def test_every_code_is_explained(service: Service, code: str) -> None:
    told = service.client.get(f"/problems/{code}").json()
    assert (told["status"], told["remedy"]) == (PROBLEMS[code].status, PROBLEMS[code].remedy)
    page = service.client.get(f"/problems/{code}", headers={"Accept": "text/html,*/*"})
    assert page.headers["Content-Type"].startswith("text/html")
    assert PROBLEMS[code].title.split("'")[0] in page.text


def test_the_document_describes_every_operation(service: Service) -> None:
    document = service.client.get("/openapi.json").json()
    operations = [op for path in document["paths"].values() for op in path.values()]
    names = [op["operationId"] for op in operations]
    assert document["info"]["license"]["identifier"] == "Apache-2.0"
    assert len(set(names)) == len(names)
    assert all(name.isalpha() for name in document["components"]["schemas"]), "of no module"
    for op in operations:
        problems = [r for status, r in op["responses"].items() if not re.match("[23]", status)]
        assert problems, op["operationId"]
        assert all(set(r["content"]) == {"application/problem+json"} for r in problems)
    upload = document["paths"]["/v1/images"]["post"]
    assert {"multipart/form-data", "image/jpeg"} <= upload["requestBody"]["content"].keys()
    told = {parameter["name"] for parameter in upload["parameters"]}
    fields = upload["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    beside = {"Prefer", "Content-Digest", "Idempotency-Key"}
    assert beside < told
    assert told - beside == fields.keys() - {"file"}, "a batch may be named in either"
    assert {"200", "202", "413", "415", "422", "429", "503"} <= upload["responses"].keys()
    references = set(
        re.findall(r'"#/components/schemas/(\w+)"', service.client.get("/openapi.json").text)
    )
    assert references <= document["components"]["schemas"].keys()


def test_a_proxys_request_id_is_kept_if_it_is_one(service: Service) -> None:
    ours = "6b1f1f0e-6a65-4c8f-9a55-0a7f3c2d1e00"
    get = service.client.get
    assert get("/livez", headers={"X-Request-Id": ours}).headers["X-Request-Id"] == ours
    made_up = get("/livez", headers={"X-Request-Id": "a b c"}).headers["X-Request-Id"]
    assert re.fullmatch(r"[0-9a-f-]{36}", made_up)


def test_on_a_port_of_their_own_metrics_take_no_key(service: Service) -> None:
    (port,) = free_ports(1)
    serve_metrics("127.0.0.1", port, QueueCollector(service.ledger))
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:  # ours
        told = {name for name, _ in samples(answer.read().decode())}
    assert {"photoward_ledger_up", "photoward_processed_megapixels_total"} <= told
    with pytest.raises(Unavailable, match=str(port)):
        serve_metrics("127.0.0.1", port)
