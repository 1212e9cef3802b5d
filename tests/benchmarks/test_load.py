"""``python -m benchmarks load`` against the HTTP face alone: what it sends, counts and tells."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

import aiohttp
import pytest

from benchmarks.commands import main
from benchmarks.load import Stream, _stream
from tests.api.http.service import serving

if TYPE_CHECKING:
    from pathlib import Path


def run(*arguments: str) -> object:
    with pytest.raises(SystemExit) as caught:
        main(["load", *arguments])
    return caught.value.code


def test_it_asks_and_uploads_at_the_rates_it_was_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "result.json"
    with serving(tmp_path / "service") as service:
        code = run(
            "--url",
            service.url,
            "--reads",
            "20",
            "--uploads",
            "4",
            "--seconds",
            "1",
            "--out",
            str(out),
        )
        held = service.ledger.items.count_by_state()
    assert code == 0
    told = json.loads(out.read_text())
    assert told["reads"]["codes"] == {"200": 20}
    assert told["uploads"]["codes"] == {"202": 4}
    assert sum(held.values()) == 5, "and one before"
    assert told["upload_bytes"] == pytest.approx(1.05e6, rel=0.02)
    assert 0 < told["reads"]["p50_s"] <= told["reads"]["p99_s"] <= told["reads"]["max_s"]
    assert "20 × 200" in capsys.readouterr().out


def test_a_service_that_refuses_all_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(tmp_path) as service:
        assert run("--url", service.url, "--method", "magic", "--seconds", "1") == 1
    assert "The first upload was refused: 422" in capsys.readouterr().err


def test_another_scheme_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--url", "ftp://127.0.0.1:1", "--seconds", "1") == 2
    assert "--url takes an address like" in capsys.readouterr().err


def test_slow_answers_do_not_slow_the_asking() -> None:
    """Ten requests a tenth of a second apart that take a second each: two seconds, not ten."""
    stream = Stream(10)

    async def ask() -> int:
        await asyncio.sleep(1)
        if len(stream.late_s) % 2:
            raise aiohttp.ServerTimeoutError("late")
        return 200

    began = time.monotonic()
    asyncio.run(_stream(stream, ask, 1))
    assert time.monotonic() - began < 4
    assert stream.told()["sent"] == 10
    assert stream.codes.total() == 10
    assert set(stream.codes) <= {"200", "ServerTimeoutError"}
    assert stream.told()["p50_s"] >= 1
