"""``photoward bench``: that it measures at all, and how it divides the time."""

from __future__ import annotations

import json
import os
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from photoward.api.cli import main
from photoward.api.cli.bench.service import _shares
from photoward.core.ledger import open_ledger
from photoward.core.settings import Settings
from photoward.models.methods.registry import METHODS
from tests.core.imaging.pictures import file, smooth
from tests.support import surrogates
from tests.support.quick import Quick
from tests.support.samples import added
from tests.support.servers import fresh_database

if TYPE_CHECKING:
    from pathlib import Path


def test_the_shares_add_up_to_the_whole() -> None:
    seconds = {"decode": 0.1, "perturb": 0.3, "enlarge": 0.1, "encode": 0.2, "verify": 0.25}
    items = [{"measured": {"seconds": seconds}}] * 3
    shares = _shares(items, [1.0, 1.2, 1.1])
    assert shares == pytest.approx({
        "decode": 0.1, "noise": 0.4, "encode": 0.2, "verify and measure": 0.25,
        "everything else": 0.15,
    })  # fmt: skip


def test_the_engine_stands_beside_the_published_loop(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main([
            "bench", "engine", "--runs", "1", "--pictures", "2",
            "--out", str(tmp_path / "result.json"),
        ])  # fmt: skip
    assert caught.value.code == 0
    assert "ours, sem-" in capsys.readouterr().out
    result = json.loads((tmp_path / "result.json").read_text())
    wide, narrow, ours = result["loops"]
    assert (wide["passes"], narrow["passes"]) == (50, 50)
    assert wide["gflop_per_picture"] == pytest.approx(16 * narrow["gflop_per_picture"], rel=0.05)
    assert ours["gflop_per_picture"] == pytest.approx(
        narrow["gflop_per_picture"] * ours["passes"] / 50
    )
    assert ours["ours_is_faster_by"] == 1
    assert wide["ours_is_faster_by"] > 1
    for row in result["loops"]:
        reached = row["pictures_per_s"] * row["gflop_per_picture"]
        assert reached == pytest.approx(row["gflop_per_s"])
        peak = result["peak_gflop_per_s"][row["precision"]]
        assert row["share_of_peak"] == pytest.approx(reached / peak)


def test_photos_are_measured_in_every_strength_and_format(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS, "sem", Quick)
    surrogates.write(tmp_path)
    os.environ |= {
        "PHOTOWARD_SURROGATE": "tiny",
        "PHOTOWARD_METHOD": "sem",
        "PHOTOWARD_SURROGATE_DIRS": json.dumps([str(tmp_path)]),
    }
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "plain.png").write_bytes(file(smooth()))
    (photos / "clear.png").write_bytes(file(smooth(mode="RGBA")))
    with pytest.raises(SystemExit) as caught:
        main([
            "bench", "photo", str(photos), "--out", str(tmp_path / "result.json"),
            "--page", str(tmp_path / "crops.html"),
        ])  # fmt: skip
    assert caught.value.code == 0
    assert "subtle" in capsys.readouterr().out
    result = json.loads((tmp_path / "result.json").read_text())
    found = {(row["strength"], row["format"]): row for row in result["summary"]}
    assert len(found) == 16
    for (_, output), row in found.items():
        assert row["photos"] == (1 if output == "jpeg" else 2)  # it holds no transparency
        assert sum(row["shares"].values()) == pytest.approx(1, abs=0.01)
    assert found["subtle", "png"]["psnr_db"] > found["strong", "png"]["psnr_db"]
    assert found["subtle", "png"]["ms_ssim"] > found["strong", "png"]["ms_ssim"]
    assert found["subtle", "png"]["flip"] < found["strong", "png"]["flip"]
    assert found["subtle", "png"]["flat_delta_e_p95"] < found["strong", "png"]["flat_delta_e_p95"]
    target = found["strong", "jpeg"]["target"]
    assert len(target) == 8
    assert all(-1 <= cosine <= 1 for pair in target.values() for cosine in pair)
    assert any(before != after for before, after in target.values())
    page = (tmp_path / "crops.html").read_text()
    assert page.count("data:image/jpeg;base64,") == (1 + 4) * 2  # plain.png: clear.png has no JPEG
    assert page.count("<figure>") == 2 * (1 + 4) * 2
    assert found["strong, perceptual", "png"]["psnr_db"] > found["strong", "png"]["psnr_db"]


def test_the_ledger_is_measured_with_several_workers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "ledger.json"
    with pytest.raises(SystemExit) as caught:
        main(["bench", "ledger", "--items", "100", "--workers", "1,2", "--out", str(out)])
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
    asked = ["bench", "ledger", "--items", "100", "--workers", "2"]
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
        main(["bench", "ledger", *wrong])
    assert caught.value.code == 2
    assert "--workers" in capsys.readouterr().err


@pytest.mark.parametrize("source", ["absent", "empty"])
def test_a_folder_without_photos_is_bad_input(
    source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit) as caught:
        main(["bench", "photo", str(tmp_path / source)])
    assert caught.value.code == 2
    assert source in " ".join(capsys.readouterr().err.split())


@pytest.mark.bench
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("arguments", "figure"),
    [
        (["latency", "--runs", "1"], "median_s"),
        (["throughput", "--small", "40", "--large", "1"], "32px"),
    ],
)
def test_it_measures(tmp_path: Path, arguments: list[str], figure: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["bench", *arguments, "--out", str(tmp_path / "result.json")])
    assert caught.value.code == 0
    assert json.loads((tmp_path / "result.json").read_text())[figure]
