"""``photoward bench``: that it measures at all, and how it divides the time."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from photoward.api.cli import main
from photoward.api.cli.bench.latency import _shares
from photoward.api.cli.bench.scenes import scenes
from photoward.api.cli.bench.throughput import _waiting
from photoward.api.cli.bench.variants import variants
from photoward.core import catalogue
from photoward.core.catalogue import DEFAULT_PRESET, SHAPINGS
from photoward.models.methods.registry import METHODS
from tests.core.imaging.pictures import file, smooth
from tests.support import surrogates
from tests.support.quick import QUICK

if TYPE_CHECKING:
    from pathlib import Path

    from photoward.api.cli.client import Client


def test_the_shares_add_up_to_the_whole() -> None:
    seconds = {"decode": 0.1, "perturb": 0.3, "enlarge": 0.1, "encode": 0.2, "verify": 0.25}
    items = [{"measured": {"seconds": seconds}}] * 3
    shares = _shares(items, [1.0, 1.2, 1.1])
    assert shares == pytest.approx(
        {
            "decode": 0.1,
            "noise": 0.4,
            "encode": 0.2,
            "verify and measure": 0.25,
            "everything else": 0.15,
        }
    )


def test_the_engine_stands_beside_the_published_loop(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(
            [
                "bench",
                "engine",
                "--runs",
                "1",
                "--pictures",
                "2",
                "--out",
                str(tmp_path / "result.json"),
            ]
        )
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
    monkeypatch.setitem(METHODS, "sem", QUICK)
    surrogates.write(tmp_path)
    os.environ |= {
        "PHOTOWARD_ENGINE_SURROGATE": "tiny",
        "PHOTOWARD_ENGINE_METHOD": "sem",
        "PHOTOWARD_ENGINE_SURROGATE_DIRS": json.dumps([str(tmp_path)]),
    }
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "plain.png").write_bytes(file(smooth()))
    (photos / "clear.png").write_bytes(file(smooth(mode="RGBA")))
    with pytest.raises(SystemExit) as caught:
        main(
            [
                "bench",
                "photo",
                str(photos),
                "--out",
                str(tmp_path / "result.json"),
                "--preset",
                "subtle,strong",
                "--page",
                str(tmp_path / "crops.html"),
            ]
        )
    assert caught.value.code == 0
    assert "subtle" in capsys.readouterr().out
    result = json.loads((tmp_path / "result.json").read_text())
    found = {(row["strength"], row["format"]): row for row in result["summary"]}
    assert len(found) == 16
    for (_, output), row in found.items():
        assert row["photos"] == (1 if output == "jpeg" else 2)  # it holds no transparency
        assert sum(row["shares"].values()) == pytest.approx(1, abs=0.01)
    weak, strong = (found[f"sem, {preset}, even", "png"] for preset in ("subtle", "strong"))
    assert weak["psnr_db"] > strong["psnr_db"]
    assert weak["ms_ssim"] > strong["ms_ssim"]
    for scale in ("whole", "crop"):
        for figure in ("visibility", "flip", "flat_delta_e"):
            assert weak[scale][figure] < strong[scale][figure] <= strong[scale]["most"][figure]
    row = result["rows"][0]
    assert (row["method"], row["preset"]) == ("sem", "subtle")
    assert row["seen"]["worst"]["flip"] >= row["seen"]["flip"]
    page = (tmp_path / "crops.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 2 * (1 + 4) * 2
    assert page.count("<figure>") == 2 * 2 * (1 + 4) * 2


def test_files_that_are_there_are_judged_and_shown_beside_their_photos(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos, same, stained = (tmp_path / name for name in ("photos", "same", "stained"))
    for folder in (photos, same, stained):
        folder.mkdir()
    before = smooth((300, 200))
    (photos / "one.png").write_bytes(file(before))
    (same / "one.png").write_bytes(file(before))
    after = before.copy()
    after.paste((255, 0, 0), (0, 0, 60, 60))
    (stained / "one.jpg").write_bytes(file(after, "JPEG", quality=97))
    with pytest.raises(SystemExit) as caught:
        main(
            [
                "bench",
                "photo",
                str(photos),
                "--protected",
                f"same={same}",
                "--protected",
                f"stained={stained}",
                "--out",
                str(tmp_path / "result.json"),
                "--pairs",
                str(tmp_path / "pairs.html"),
            ]
        )
    assert caught.value.code == 0
    assert "stained, jpeg" in capsys.readouterr().out
    rows = {
        row["strength"]: row for row in json.loads((tmp_path / "result.json").read_text())["rows"]
    }
    assert rows["same"]["visibility"] == 0
    assert rows["stained"]["visibility"] > 1
    assert rows["stained"]["seen"]["worst"]["flip"] > 2 * rows["stained"]["seen"]["flip"]
    page = (tmp_path / "pairs.html").read_text()
    assert page.count("data:image/webp;base64,") == 2 * 4
    assert "http" not in page, "it needs no other file"


@pytest.mark.parametrize("wrong", ["nothing", "absent=/nowhere", "empty={}"])
def test_protected_files_that_are_not_there_are_bad_input(
    wrong: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "one.png").write_bytes(file(smooth()))
    given = wrong.format(tmp_path / "empty")
    with pytest.raises(SystemExit) as caught:
        main(["bench", "photo", str(tmp_path), "--protected", given])
    assert caught.value.code == 2
    assert wrong.partition("=")[0] in " ".join(capsys.readouterr().err.split())


def test_a_quick_look_takes_the_default_and_every_method_has_its_strengths() -> None:
    assert [one.name for one in variants(None, None, None, default="sem", quick=True)] == [
        f"sem, {DEFAULT_PRESET}, {SHAPINGS[0]}"
    ]
    every = variants("all", None, None, default="sem", quick=False)
    assert {one.method for one in every} == set(catalogue.METHODS)
    assert [one.preset for one in every if one.method == "cuda"] == [None]
    for one in every:
        assert one.preset is None or one.preset in catalogue.METHODS[one.method].presets


def test_the_scenes_are_those_in_which_noise_is_seen() -> None:
    found = dict(scenes())
    assert {"sky", "snow", "white-page", "screenshot", "skin", "foliage", "black-and-white"} <= set(
        found
    )
    assert len(found) >= 10
    assert found == dict(scenes()), "drawn the same each time"


def test_what_waits_is_counted_with_few_questions() -> None:
    asked: list[str] = []

    class Asked:
        def item(self, item_id: str) -> dict[str, str]:
            asked.append(item_id)
            return {"state": "succeeded" if int(item_id) < 70 else "queued"}

    client: Client = Asked()  # type: ignore[assignment]  # as much of it as is needed
    assert _waiting(client, [str(n) for n in range(100)]) == 30
    assert len(asked) < 10


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
