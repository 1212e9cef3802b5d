"""``photoward verify``, against a real service."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import structlog

from photoward.api.cli import verify
from tests.api.http.service import Service, serving
from tests.api.http.test_verify import NOISY, ORIGINAL, PROTECTED, protect, saved

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.api.cli.conftest import Command


@pytest.fixture(scope="module", autouse=True)
def quiet() -> Iterator[None]:
    structlog.configure(processors=[], logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("service")) as made:
        protect(made)
        yield made


def test_protected_files_and_copies_are_fine(
    service: Service, command: Command, tmp_path: Path
) -> None:
    (tmp_path / "exact.jpg").write_bytes(PROTECTED)
    (tmp_path / "copy.jpg").write_bytes(saved(NOISY, 75))
    (tmp_path / "notes.txt").write_text("no photo")
    code, printed, _ = command("verify", str(tmp_path), "--json", "--url", service.url)
    assert code == 0
    found = [json.loads(line) for line in printed.splitlines()]
    assert [one["verdict"] for one in found] == ["copy", "exact"]
    code, printed, _ = command("verify", str(tmp_path / "copy.jpg"), "--url", service.url)
    assert code == 0
    assert "copy" in printed
    assert "anchor" in printed


def test_others_are_named_and_the_rest_goes_on(
    service: Service, command: Command, tmp_path: Path
) -> None:
    files = {"a-original.jpg": saved(ORIGINAL, 90), "b-empty.jpg": b"", "d.jpg": PROTECTED}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "c.jpg").symlink_to("nowhere")
    code, printed, told = command("verify", str(tmp_path), "--url", service.url)
    assert code == 1
    assert "noise missing" in printed
    assert "exact" in printed
    assert "b-empty.jpg" in told
    assert "c.jpg" in told
    code, printed, _ = command("verify", str(tmp_path), "--json", "--url", service.url)
    lines = {json.loads(line)["file"]: json.loads(line) for line in printed.splitlines()}
    assert code == 1
    assert lines[str(tmp_path / "b-empty.jpg")]["error"]["code"] == "empty_body"
    assert len(lines) == 4


def test_nothing_to_verify_is_wrong_usage(
    service: Service, command: Command, tmp_path: Path
) -> None:
    for source in (tmp_path, tmp_path / "missing.jpg"):
        assert command("verify", str(source), "--url", service.url)[0] == 2


def test_who_is_told_to_wait_waits(
    command: Command,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verify, "PAUSE_S", 0.05)
    for name in "abcd":
        (tmp_path / f"{name}.jpg").write_bytes(saved(ORIGINAL.resize((32, 32))))
    folder = tmp_path_factory.mktemp("limited")
    with serving(folder, verify_per_minute=1200) as service:
        service.app.state.services.verify_limit._per_minute = 1
        code, printed, told = command("verify", str(tmp_path), "--json", "--url", service.url)
    assert code == 1
    answers = [json.loads(line) for line in printed.splitlines()]
    assert answers[0]["verdict"] == "unknown"
    assert answers[-1]["error"]["code"] == "rate_limited", told
