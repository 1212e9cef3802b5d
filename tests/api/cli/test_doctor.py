"""The doctor finds what was broken on purpose, says what to do, and changes nothing."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from photoward.api.cli import main
from photoward.api.cli.checks import machine, services
from photoward.core.imaging.sandbox import confinement
from photoward.core.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from photoward.api.cli.checks.result import CheckResult

DEAD = "127.0.0.1:1"
"""Nothing listens on port 1."""


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Settings]:
    def make(**changes: object) -> Settings:
        values: dict[str, Any] = {"data_dir": tmp_path / "data", "redis_url": None, **changes}
        return Settings(**values)

    return make


@pytest.fixture
def surrogate(tmp_path: Path) -> Callable[[bytes], Path]:
    """Write a surrogate of the given bytes; its folder."""

    def make(weights: bytes) -> Path:
        folder = tmp_path / "surrogates"
        folder.mkdir()
        card = {
            "name": "tiny",
            "architecture": "resnet18",
            "width": 8,
            "size": 32,
            "classes": ["a"],
            "feature_dim": 8,
            "sha256": hashlib.sha256(weights).hexdigest(),
            "data": "none",
            "recipe": {},
            "figures": {},
            "seconds": 1.0,
            "hardware": "none",
            "versions": {},
            "licence": "Apache-2.0",
        }
        (folder / "tiny.json").write_text(json.dumps(card))
        (folder / "tiny.safetensors").write_bytes(weights)
        return folder

    return make


def tiny(settings: Settings) -> CheckResult:
    return next(f for f in machine.surrogates(settings) if f.subject == "Surrogate tiny")


def test_weights_are_held_against_their_card(
    settings: Callable[..., Settings], surrogate: Callable[[bytes], Path]
) -> None:
    folder = surrogate(b"weights")
    assert tiny(settings(engine_surrogate_dirs=(folder,))).ok
    (folder / "tiny.safetensors").write_bytes(b"changed")
    assert not tiny(settings(engine_surrogate_dirs=(folder,))).ok
    (folder / "tiny.safetensors").unlink()
    assert not tiny(settings(engine_surrogate_dirs=(folder,))).ok


def test_a_card_that_is_none_is_named(settings: Callable[..., Settings], tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_text("{}")
    (finding,) = machine.surrogates(settings(engine_surrogate_dirs=(tmp_path,)))
    assert not finding.ok
    assert "odd.json" in finding.found


@pytest.mark.parametrize(
    ("content", "mode", "ok"),
    [(bytes(32), 0o400, True), (bytes(32), 0o440, False), (bytes(31), 0o400, False)],
)
def test_the_secret_is_whole_and_private(
    settings: Callable[..., Settings], tmp_path: Path, content: bytes, mode: int, *, ok: bool
) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    path.chmod(mode)
    finding = services.master_secret(settings(master_secret_file=path))
    assert finding.ok is ok
    assert bool(finding.remedy) is not ok


def test_a_folder_under_a_file_is_no_folder(
    settings: Callable[..., Settings], tmp_path: Path
) -> None:
    (tmp_path / "data").write_text("a file")
    assert not services.data_folder(settings(data_dir=tmp_path / "data" / "deeper")).ok


def test_a_new_folder_needs_nothing_and_stays_unmade(
    settings: Callable[..., Settings], tmp_path: Path
) -> None:
    assert all(finding.ok for finding in services.findings(settings()))
    assert not (tmp_path / "data").exists()


def test_a_kernel_without_a_fence_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confinement, "lacking", lambda: ["Landlock"])
    (finding,) = (one for one in machine.libraries() if one.subject == "Confinement")
    assert (finding.ok, finding.needed, finding.found) == (False, False, "there is no Landlock")
    assert finding.remedy


def test_a_dead_queue_is_found(settings: Callable[..., Settings]) -> None:
    finding = services.queue(settings(redis_url=f"redis://:hunter2@{DEAD}/0"))
    assert not finding.ok
    assert "hunter2" not in finding.found


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql+psycopg://user:hunter2@{DEAD}/db",
        "nonsense+driver://user:hunter2@host/db",
        "hunter2",
    ],
)
def test_a_dead_ledger_is_found_and_its_password_kept(
    settings: Callable[..., Settings], url: str
) -> None:
    finding = services.ledger(settings(database_url=url))
    assert not finding.ok
    assert "hunter2" not in finding.found + finding.remedy


def test_a_present_ledger_is_asked(settings: Callable[..., Settings], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ledger.sqlite").touch()
    assert services.ledger(settings()).ok
    (tmp_path / "data" / "ledger.sqlite").write_bytes(b"not a database at all" * 99)
    assert not services.ledger(settings()).ok


def test_json_and_exit_code_follow_the_findings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHOTOWARD_DATABASE_URL", "hunter2")
    with pytest.raises(SystemExit) as caught:
        main(["doctor", "--json", "--data-dir", str(tmp_path / "data")])
    rows = json.loads(capsys.readouterr().out)
    broken = {row["subject"] for row in rows if row["needed"] and not row["ok"]}
    assert caught.value.code == 1
    assert "Ledger" in broken
    assert {"Python", "Cores", "PyTorch", "Pillow", "Confinement", "Store"} <= {
        row["subject"] for row in rows
    }

    assert {"Python", "Cores", "PyTorch", "Pillow", "Store"} <= {row["subject"] for row in rows}


def test_a_folder_of_surrogates_that_is_not_there_is_named(
    settings: Callable[..., Settings], tmp_path: Path
) -> None:
    found = list(machine.surrogates(settings(engine_surrogate_dirs=(tmp_path / "typo",))))
    assert [str(tmp_path / "typo") in one.found for one in found if not one.ok] == [True]
