"""``python -m benchmarks ledger``: that it measures at all, and what it refuses."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from benchmarks.commands import main
from photoward.core.ledger import open_ledger
from photoward.core.settings import Settings
from tests.support.samples import added
from tests.support.servers import fresh_database

if TYPE_CHECKING:
    from pathlib import Path


def test_the_ledger_is_measured_with_several_workers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "ledger.json"
    with pytest.raises(SystemExit) as caught:
        main(["ledger", "--items", "100", "--workers", "1,2", "--out", str(out)])
    assert caught.value.code == 0
    found = json.loads(out.read_text())
    assert {"sqlite": {"workers", "accepted", "asked", "done"}} == {
        name: set(rows[0]) for name, rows in found["ledgers"].items()
    }
    for rows in (found["ledgers"]["sqlite"], found["hints"]):
        assert [row.pop("workers") for row in rows] == [1, 2]
        for figure in (figure for row in rows for figure in row.values()):
            assert figure["per_s"] > 0
            assert 0 < figure["processor_ms"] < 1000
    shown = capsys.readouterr().out
    assert "done/s" in shown
    assert "heard/s" in shown


def test_both_databases_are_measured_and_none_that_holds_something(
    postgres_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["ledger", "--items", "100", "--workers", "2"]
    with fresh_database(postgres_url) as url:
        with pytest.raises(SystemExit) as caught:
            main([*asked, "--database", "sqlite", "--database", url])
        assert caught.value.code == 0
        shown = capsys.readouterr().out
        assert "sqlite, 32 a claim" in shown
        assert "postgresql, 32 a claim" in shown
        with closing(open_ledger(Settings(database_url=SecretStr(url)))) as ledger:
            added(ledger)
        with pytest.raises(SystemExit) as caught:
            main([*asked, "--database", url])
        assert caught.value.code == 2
        assert "already" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [("--workers", "two"), ("--workers", ""), ("--workers", "0")])
def test_a_ledger_without_workers_is_not_measured(
    wrong: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["ledger", *wrong])
    assert caught.value.code == 2
    assert "--workers" in capsys.readouterr().err
