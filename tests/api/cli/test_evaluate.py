"""``photoward evaluate``: a tiny comparison, and the folders that cannot be compared."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from photoward.api.cli import main
from tests.support.folders import striped

if TYPE_CHECKING:
    from pathlib import Path


def evaluate(*arguments: object, **folders: Path) -> object:
    named = [part for name, path in folders.items() for part in (f"--{name}", str(path))]
    with pytest.raises(SystemExit) as caught:
        main(["evaluate", *named, *map(str, arguments)])
    return caught.value.code


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    return striped(tmp_path / "clean")


def test_two_victims_are_trained_and_the_result_is_data(
    clean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "results" / "figures.json"
    code = evaluate(
        "--epochs", 2, "--out", out,
        clean=clean, protected=striped(tmp_path / "protected"), test=striped(tmp_path / "test", 4),
    )  # fmt: skip
    assert code == 0
    result = json.loads(out.read_text())
    assert result["control"]["test_accuracy"] == result["protected"]["test_accuracy"], (
        "equal pictures and seeds"
    )
    assert {name: one["pictures"] for name, one in result["data"].items()} == {
        "clean": 16, "protected": 16, "test": 8
    }  # fmt: skip
    assert result["data"]["clean"]["sha256"] == result["data"]["protected"]["sha256"]
    assert result["recipe"]["epochs"] == 2
    assert "clean test pictures" in capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], **folders: Path) -> str:
    assert evaluate("--epochs", 1, **folders) == 2
    return " ".join(capsys.readouterr().err.split())


def test_no_classes(clean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    told = refused(capsys, clean=tmp_path / "empty", protected=clean, test=clean)
    assert "at least two" in told


def test_one_class(clean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = striped(tmp_path / "one", classes=("left",))
    assert "at least two" in refused(capsys, clean=one, protected=clean, test=clean)


def test_no_such_folder(clean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(capsys, clean=clean, protected=tmp_path / "missing", test=clean)
    assert "missing is not a folder" in told


def test_a_class_that_was_not_protected(
    clean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half = striped(tmp_path / "half", classes=("left", "other"))
    assert "right has no pictures" in refused(capsys, clean=clean, protected=half, test=clean)


def test_a_set_that_was_protected_in_part(
    clean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part = striped(tmp_path / "part", each=5)
    told = refused(capsys, clean=clean, protected=part, test=clean)
    assert "different sets of pictures" in told


def test_an_unreadable_picture(
    clean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = striped(tmp_path / "broken")
    (broken / "right" / "3.png").write_bytes(b"no picture")
    assert "3.png" in refused(capsys, clean=clean, protected=broken, test=clean)
