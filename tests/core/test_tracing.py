"""Where traces go, and that without a receiver nothing of them is there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest

from photoward.api.cli.checks import services
from photoward.core import tracing
from photoward.core.jobs import Item, State, new_id
from photoward.core.timings import StageTimings
from photoward.core.tracing import NO_OP, open_tracer
from tests.support.collector import collecting
from tests.support.samples import options, source

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
NOWHERE = "http://127.0.0.1:1"
TRACE = f"00-{'a' * 32}-{'b' * 16}-01"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


def item(trace: str | None) -> Item:
    moment = datetime.now(UTC)
    return Item(
        new_id(),
        "alice",
        State.LEASED,
        options(),
        source(),
        "sem/32",
        moment,
        moment,
        traceparent=trace,
    )


def python(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, **environment}, check=True,
        capture_output=True, text=True,
    )  # fmt: skip


def test_without_a_receiver_nothing_is_imported() -> None:
    told = python(
        "import sys, photoward.worker.celery_app, photoward.worker.lifecycle\n"
        "from photoward.core.tracing import NO_OP, open_tracer\n"
        "assert open_tracer('worker') is NO_OP\n"
        "print(*(name for name in sys.modules if name.startswith('opentelemetry')))"
    )
    assert told.stdout.split() == []
    told = python(  # FastAPI brings the bare API, which does nothing by itself
        "import sys, photoward.api.http.app\n"
        "from photoward.core.tracing import NO_OP, open_tracer\n"
        "assert open_tracer('api') is NO_OP\n"
        "print(*(name for name in sys.modules if name.startswith('opentelemetry.')))"
    )
    assert not {"opentelemetry.sdk", "opentelemetry.exporter"} & set(told.stdout.split())


def test_without_the_extra_it_is_said_and_nothing_breaks() -> None:
    told = python(
        "import sys; sys.modules['opentelemetry.exporter'] = None\n"
        "from photoward.core.telemetry import configure_logging\n"
        "from photoward.core.tracing import NO_OP, open_tracer\n"
        "configure_logging(json=True)\n"
        "assert open_tracer('worker') is NO_OP",
        **{ENDPOINT: NOWHERE},
    )
    (line,) = map(json.loads, told.stderr.splitlines())
    assert (line["event"], line["level"]) == ("tracing_disabled", "warning")
    assert "pip install 'photoward[otel]'" in line["detail"]


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({}, True), ({ENDPOINT: ""}, False),
        ({"OTEL_SDK_DISABLED": "true"}, False), ({"OTEL_TRACES_EXPORTER": "none"}, False),
        ({ENDPOINT: "", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": NOWHERE}, True),
    ],
)  # fmt: skip
def test_the_standard_variables_decide(
    more: dict[str, str],
    wanted: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in ({ENDPOINT: NOWHERE} | more).items():
        monkeypatch.setenv(name, value)
    assert tracing.configured() is wanted


def test_a_protocol_that_is_not_spoken_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENDPOINT, NOWHERE)
    assert services.traces().ok
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    assert open_tracer("api") is NO_OP
    finding = services.traces()
    assert not finding.ok
    assert "grpc" in finding.remedy


def test_a_batch_is_linked_to_all_requests_and_tells_failures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with collecting() as collector:
        monkeypatch.setenv(ENDPOINT, collector.url)
        monkeypatch.setenv("OTEL_SERVICE_NAME", "photos")
        tracer = open_tracer("worker")
        timings = StageTimings()
        timings.record({"encode": 0.2, "verify": 0.1})
        good, bad, untraced = item(TRACE), item(TRACE.replace("b", "c")), item(None)
        with tracer.job_group([good, bad, untraced]) as group:
            group.record_image(good, timings)
            group.record_image(bad, StageTimings(), "corrupt")
            group.record_image(untraced, StageTimings())
        with pytest.raises(ValueError, match="hunter2"), tracer.job_group([item("nonsense")]):
            raise ValueError("hunter2")
        tracer.close()
        spans = collector.spans
    assert {one.service for one in spans} == {"photos"}
    whole, broken = (one for one in spans if one.span.name == "process batch")
    assert {link.span_id.hex() for link in whole.span.links} == {"b" * 16, "c" * 16}
    photos = {
        one.says("messaging.message.id"): one for one in spans if one.span.name == "process photo"
    }
    assert photos[good.id].trace == photos[bad.id].trace == "a" * 32
    assert photos[bad.id].says("error.type") == "corrupt"
    assert photos[untraced.id].trace == whole.trace
    (encode,) = (one.span for one in spans if one.span.name == "encode")
    (verify,) = (one.span for one in spans if one.span.name == "verify")
    assert abs(verify.start_time_unix_nano - encode.end_time_unix_nano) < 1e6
    assert encode.end_time_unix_nano - encode.start_time_unix_nano == pytest.approx(2e8, rel=1e-3)
    assert broken.says("error.type") == "ValueError"
    assert b"hunter2" not in collector.raw


@pytest.mark.parametrize(
    ("caller", "follows"), [(TRACE, True), ("00-zz", False), ("ü" * 55, False), ("", False)]
)
def test_a_request_goes_on_with_its_callers_trace(
    caller: str,
    follows: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with collecting() as collector:
        monkeypatch.setenv(ENDPOINT, collector.url)
        tracer = open_tracer("api")
        with tracer.request({"traceparent": caller}) as span:
            here = tracer.traceparent()
            span.record_response("GET", "/v1/x", 503)
        assert tracer.traceparent() is None
        tracer.close()
        (told,) = collector.spans
    assert here is not None
    assert here.startswith(f"00-{told.trace}-{told.span.span_id.hex()}-0")
    assert (told.trace == "a" * 32) is follows
    assert told.span.status.code == told.span.status.STATUS_CODE_ERROR


def test_a_receiver_that_is_away_keeps_nobody_from_leaving(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENDPOINT, NOWHERE)
    tracer = open_tracer("api")
    with tracer.request({}) as span:
        span.record_response("GET", "/v1/x", 200)
    began = time.monotonic()
    tracer.close()
    assert time.monotonic() - began < 5
