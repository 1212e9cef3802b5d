"""One trace from a request to the stages of its photo, as a receiver is told it."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support.collector import collecting
from tests.support.samples import noisy_png
from tests.support.stack import fresh_stack

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system

STAGES = {"fetch", "decode", "perturb", "enlarge", "encode", "verify", "store"}
LABEL, FILE = "unmistakable-label", "unmistakable-file.png"


def test_a_request_and_the_stages_of_its_photo_are_one_trace() -> None:
    caller, parent = secrets.token_hex(16), secrets.token_hex(8)
    with collecting() as collector:
        settings = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "FASTAPI_OTEL_AUTO_CONFIGURE": "true",
        }  # fmt: skip
        with fresh_stack(**settings) as service:
            answer = httpx.post(
                f"{service.url}/v1/images", content=noisy_png(1, 64), params={"label": LABEL},
                headers={
                    "traceparent": f"00-{caller}-{parent}-01", "Content-Type": "image/png",
                    "Content-Disposition": f'attachment; filename="{FILE}"',
                },
            )  # fmt: skip
            refused = httpx.post(f"{service.url}/v1/images", content=b"no picture")
            (item,) = service.ended([answer.json()["id"]], 120)
            traced = lines(service.folder)
        spans = collector.spans  # what was left is told when a process leaves
    assert item["state"] == "succeeded"
    mine = [one for one in spans if one.trace == caller]
    by_name = {one.span.name: one for one in mine}
    assert by_name.keys() == {"POST /v1/images", "process photo", *STAGES}
    assert len(mine) == len(by_name), "each once"
    request, photo = by_name["POST /v1/images"], by_name["process photo"]
    assert (request.service, photo.service) == ("photoward-api", "photoward-worker")
    assert request.span.parent_span_id.hex() == parent
    assert photo.span.parent_span_id == request.span.span_id
    assert {by_name[stage].span.parent_span_id for stage in STAGES} == {photo.span.span_id}
    ends = [by_name[stage].span.end_time_unix_nano for stage in ("decode", "perturb", "verify")]
    assert ends == sorted(ends)
    assert photo.says("messaging.message.id") == answer.json()["id"]
    batch = next(one for one in spans if one.span.name == "process batch" and one.span.links)
    assert [link.span_id for link in batch.span.links] == [request.span.span_id]
    assert [link.span_id for link in photo.span.links] == [batch.span.span_id]
    assert request.says("http.route") == "/v1/images"
    assert caller in traced, "a line of the log names the trace"
    assert refused.headers["X-Request-Id"] in traced.values()
    for word in (LABEL, FILE, answer.json()["source"]["sha256"]):
        assert word.encode() not in collector.raw


def lines(folder: Path) -> dict[str, str]:
    """Of the face's log: trace → request."""
    told = [json.loads(line) for line in (folder / "logs" / "api.log").read_text().splitlines()]
    return {one["trace_id"]: one["request_id"] for one in told if "trace_id" in one}
