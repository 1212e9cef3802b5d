"""``photoward inspect`` and the two benches of the seeds: what they print, what they refuse."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from photoward.api.cli import main
from tests.support.folders import striped

if TYPE_CHECKING:
    from pathlib import Path


def photoward(*arguments: object) -> object:
    try:
        main(list(map(str, arguments)))
    except SystemExit as caught:
        return caught.code
    return 0


def test_a_set_is_told_in_sentences_and_as_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clean = striped(tmp_path / "clean", 20)
    assert photoward("inspect", clean) == 0
    told = capsys.readouterr().out
    assert "40 pictures, of which 40 were compared, at 32 × 32 pixels (3072 samples each)" in told
    assert "Intrinsic dimension" in told
    assert "protect them all" in told
    assert photoward("inspect", clean, "--json", "--size", 16) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["samples"] == 3 * 16 * 16
    assert found["undone_by"] <= 40


def test_a_folder_that_is_no_set_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert photoward("inspect", tmp_path) == 2
    assert "at least two classes" in " ".join(capsys.readouterr().err.split())


def report(path: Path, dimension: float, left: float, **data: Any) -> Path:  # noqa: ANN401
    rows = [
        {"protection": name, "countermeasure": "none", "test_accuracy": {"mean": end},
         "peak_accuracy": {"mean": best}, "test_curve": []}
        for name, end, best in (("clean", 0.8, 0.8), ("protected", 0.1, left))
    ]  # fmt: skip
    measured = {"levina_bickel": dimension, "two_nn": 2 * dimension, "label_sharpness": 0.1}
    found = {
        "classes": list("abcdefghij"), "rows": rows, "data": {"clean": {"intrinsic": measured}}
    } | data  # fmt: skip
    path.write_text(json.dumps(found))
    return path


def test_dimension_and_protection_are_correlated_over_five_sets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sets = [
        report(tmp_path / f"{i}.json", d, left)
        for i, (d, left) in enumerate([(5, 0.2), (10, 0.3), (15, 0.4), (20, 0.5), (40, 0.52)])
    ]
    out = tmp_path / "dimension.json"
    assert photoward("bench", "dimension", *sets, "--out", out) == 0
    found = json.loads(out.read_text())
    assert found["correlation"]["levina_bickel"]["spearman"] == 1.0
    assert 0.7 < found["correlation"]["levina_bickel"]["pearson"] < 1
    assert found["correlation"]["label_sharpness"] == {"pearson": None, "spearman": None}
    assert found["rows"][0]["kept"] == pytest.approx(0.1 / 0.7, abs=1e-4)
    assert "over 5 sets" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [({"data": {"clean": {}}}, "is no report"), ({"rows": []}, "is no report"),
     ({"classes": ["a"]}, "the control learnt nothing")],
)  # fmt: skip
def test_reports_that_say_nothing_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], broken: dict[str, Any], sentence: str
) -> None:
    sets = [report(tmp_path / f"{i}.json", 5, 0.2) for i in range(4)]
    assert photoward("bench", "dimension", *sets) == 2
    assert "at least 5 sets" in " ".join(capsys.readouterr().err.split())
    last = report(tmp_path / "4.json", 5, 0.2, **broken)
    assert photoward("bench", "dimension", *sets, last) == 2
    assert sentence in " ".join(capsys.readouterr().err.split())


def test_a_classifier_behind_the_transform_is_attacked_beside_a_plain_one(tmp_path: Path) -> None:
    out = tmp_path / "external.json"
    code = photoward(
        "bench", "external", striped(tmp_path / "clean", 12), "--network", "squeezenet-1.1",
        "--size", 16, "--side", 24, "--epochs", 1, "--batch", 4, "--steps", 2, "--out", out,
    )  # fmt: skip
    assert code == 0
    rows = json.loads(out.read_text())["rows"]
    assert [row["classifier"] for row in rows] == ["plain", "behind squeezenet-1.1 8/255"]
    assert all(0 <= row["attacked"] <= 1 for row in rows)


def test_an_external_network_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert photoward("bench", "external", tmp_path, "--network", "resnet-9000") == 2
    assert "there are: efficientnet-lite0" in " ".join(capsys.readouterr().err.split())
