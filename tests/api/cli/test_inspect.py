"""``photoward inspect``: what it prints and refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from photoward.api.cli import main
from tests.support.folders import striped

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


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
