"""``python -m benchmarks dimension``: correlated over sets, and what is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.commands import main

if TYPE_CHECKING:
    from pathlib import Path


def measured(*arguments: object) -> object:
    try:
        main(list(map(str, arguments)))
    except SystemExit as caught:
        return caught.code
    return 0


def report(path: Path, dimension: float, left: float, **data: Any) -> Path:  # noqa: ANN401
    rows = [
        {
            "protection": name,
            "countermeasure": "none",
            "test_accuracy": {"mean": end},
            "peak_accuracy": {"mean": best},
            "test_curve": [],
        }
        for name, end, best in (("clean", 0.8, 0.8), ("protected", 0.1, left))
    ]
    measured = {"levina_bickel": dimension, "two_nn": 2 * dimension, "label_sharpness": 0.1}
    found = {
        "classes": list("abcdefghij"),
        "rows": rows,
        "data": {"clean": {"intrinsic": measured}},
    } | data
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
    assert measured("dimension", *sets, "--out", out) == 0
    found = json.loads(out.read_text())
    assert found["correlation"]["levina_bickel"]["spearman"] == 1.0
    assert 0.7 < found["correlation"]["levina_bickel"]["pearson"] < 1
    assert found["correlation"]["label_sharpness"] == {"pearson": None, "spearman": None}
    assert found["rows"][0]["kept"] == pytest.approx(0.1 / 0.7, abs=1e-4)
    assert "over 5 sets" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        ({"data": {"clean": {}}}, "is no report"),
        ({"rows": []}, "is no report"),
        ({"classes": ["a"]}, "the control learnt nothing"),
    ],
)
def test_reports_that_say_nothing_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], broken: dict[str, Any], sentence: str
) -> None:
    sets = [report(tmp_path / f"{i}.json", 5, 0.2) for i in range(4)]
    assert measured("dimension", *sets) == 2
    assert "at least 5 sets" in " ".join(capsys.readouterr().err.split())
    last = report(tmp_path / "4.json", 5, 0.2, **broken)
    assert measured("dimension", *sets, last) == 2
    assert sentence in " ".join(capsys.readouterr().err.split())
