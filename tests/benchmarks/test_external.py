"""``python -m benchmarks external``: a classifier behind the transform, attacked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from benchmarks.commands import main
from tests.support.folders import striped

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def measured(*arguments: object) -> object:
    try:
        main(list(map(str, arguments)))
    except SystemExit as caught:
        return caught.code
    return 0


def test_a_classifier_behind_the_transform_is_attacked_beside_a_plain_one(tmp_path: Path) -> None:
    out = tmp_path / "external.json"
    code = measured(
        "external",
        striped(tmp_path / "clean", 12),
        "--network",
        "squeezenet-1.1",
        "--size",
        16,
        "--side",
        24,
        "--epochs",
        1,
        "--batch",
        4,
        "--steps",
        2,
        "--out",
        out,
    )
    assert code == 0
    rows = json.loads(out.read_text())["rows"]
    assert [row["classifier"] for row in rows] == ["plain", "behind squeezenet-1.1 8/255"]
    assert all(0 <= row["attacked"] <= 1 for row in rows)


def test_an_external_network_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert measured("external", tmp_path, "--network", "resnet-9000") == 2
    assert "there are: efficientnet-lite0" in " ".join(capsys.readouterr().err.split())
