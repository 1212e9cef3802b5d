"""``photoward evaluate``: tiny comparisons, and what cannot be compared."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from photoward.api.cli import main
from photoward.api.cli.evaluation import datasets
from photoward.api.cli.evaluation.shapes import CLASSES, write_shapes
from photoward.core.catalogue import DEFAULT_PRESET, PRESETS
from photoward.models.methods.registry import METHODS
from tests.api.http.service import serving, working
from tests.support import surrogates
from tests.support.folders import striped
from tests.support.quick import QUICK

TINY = ("--epochs", 1, "--batch", 8, "--architectures", "vgg")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has a default place is written there."""
    monkeypatch.chdir(tmp_path)


def evaluate(*arguments: object, **folders: object) -> object:
    named = [part for name, path in folders.items() for part in (f"--{name}", str(path))]
    with pytest.raises(SystemExit) as caught:
        main(["evaluate", *named, *map(str, arguments)])
    return caught.value.code


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    return striped(tmp_path / "clean")


def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return found


def test_two_victims_are_trained_and_the_result_is_data(
    clean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "results" / "figures.json"
    code = evaluate(
        "--epochs",
        2,
        "--out",
        out,
        clean=clean,
        protected=striped(tmp_path / "protected"),
        test=striped(tmp_path / "test", 4),
    )
    assert code == 0
    result = json.loads(out.read_text())
    assert result["control"]["test_accuracy"] == result["protected"]["test_accuracy"], (
        "equal pictures and seeds"
    )
    assert {name: one["pictures"] for name, one in result["data"].items()} == {
        "clean": 16,
        "protected": 16,
        "test": 8,
    }
    assert result["data"]["clean"]["sha256"] == result["data"]["protected"]["sha256"]
    assert result["recipe"]["epochs"] == 2
    assert [len(row["test_curve"]) for row in result["rows"]] == [2, 2]
    assert len(list((out.with_suffix("") / "cells").iterdir())) == 2
    assert "<svg" in (out.with_suffix("") / "report.html").read_text()
    told = capsys.readouterr().out
    assert "plain training" in told
    assert "protected: " in told


def test_methods_countermeasures_shares_and_seeds_are_crossed(clean: Path, tmp_path: Path) -> None:
    code = evaluate(
        "--protected",
        f"a={clean}",
        "--protected",
        f"b={clean}",
        *TINY,
        "--holdout",
        0.25,
        "--countermeasures",
        "none,grayscale",
        "--shares",
        "50,100",
        "--seeds",
        2,
        clean=clean,
    )
    assert code == 0
    found = report(tmp_path / "evaluation-out")
    rows = {(row["protection"], row["countermeasure"], row["share"]) for row in found["rows"]}
    assert rows == {("clean", one, 0) for one in ("none", "grayscale")} | {
        (name, one, share) for name in "ab" for one in ("none", "grayscale") for share in (50, 100)
    }
    assert {row["seeds"] for row in found["rows"]} == {2}
    assert found["data"]["test"]["pictures"] == 4


def test_a_second_run_trains_nothing(clean: Path, tmp_path: Path) -> None:
    assert evaluate(*TINY, clean=clean, protected=clean) == 0
    cells = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("cells/*.json")}
    assert evaluate(*TINY, clean=clean, protected=clean) == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("cells/*.json")} == cells
    assert len(cells) == 2


def test_manifests_are_taken_as_folders_are(clean: Path, tmp_path: Path) -> None:
    lines = [f"{p.relative_to(clean)},{p.parent.name}" for p in sorted(clean.rglob("*.png"))]
    (clean / "list.csv").write_text("\n".join(lines))
    assert evaluate(*TINY, clean=clean / "list.csv", protected=clean) == 0
    data = report(tmp_path / "evaluation-out")["data"]
    assert data["clean"]["sha256"] == data["protected"]["sha256"]


def test_a_quick_look_draws_and_protects_its_own_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets, "SHAPES_EACH", 6)
    monkeypatch.setattr(datasets, "SHAPES_TEST_EACH", 2)
    monkeypatch.setitem(METHODS, "sem", QUICK)
    surrogates.write(tmp_path)
    os.environ |= {
        "PHOTOWARD_ENGINE_SURROGATE": "tiny",
        "PHOTOWARD_ENGINE_METHOD": "sem",
        "PHOTOWARD_ENGINE_SURROGATE_DIRS": json.dumps([str(tmp_path)]),
        "PHOTOWARD_IMAGING_PROCESSES": "1",
    }
    assert evaluate("--quick", *TINY, "--countermeasures", "none,jpeg-75") == 0
    found = report(tmp_path / "evaluation-out")
    assert "drawn shapes" in found["note"]
    assert "drawn shapes" in (tmp_path / "evaluation-out" / "report.html").read_text()
    assert found["classes"] == list(CLASSES)
    assert found["data"]["sem"]["pictures"] == 24
    assert found["data"]["test"]["pictures"] == 8
    assert 0 < found["quality"]["sem"]["linf"] <= PRESETS[DEFAULT_PRESET].epsilon
    assert found["surrogates"] == {"sem": ["tiny"]}, "nobody has to say it"
    assert {row["share"] for row in found["rows"]} == {0, 80, 100}


def test_pictures_are_protected_through_a_service(clean: Path, tmp_path: Path) -> None:
    with serving(tmp_path / "service") as service, working(service):
        assert evaluate(*TINY, "--preset", "standard", service=service.url, data=clean) == 0
        left = service.kept()
    found = report(tmp_path / "evaluation-out")
    assert found["data"]["protected"]["pictures"] == 12
    assert 0 < found["quality"]["protected"]["linf"] <= PRESETS["standard"].epsilon
    assert left == [], "in the service"
    assert evaluate(*TINY, service="http://127.0.0.1:9", data=clean) == 0, "all is here already"


def test_shapes_are_drawn_alike_and_differ(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_shapes(tmp_path / name, 3)
    write_shapes(tmp_path / "c", 3, seed=1)
    pictures = {
        name: [p.read_bytes() for p in sorted((tmp_path / name).rglob("*.png"))] for name in "abc"
    }
    assert pictures["a"] == pictures["b"]
    assert len(set(pictures["a"] + pictures["c"])) == 2 * 3 * len(CLASSES)
    with Image.open(tmp_path / "a" / "cross" / "0000.png") as image:
        assert np.asarray(image).shape == (32, 32, 3)


def refused(capsys: pytest.CaptureFixture[str], *arguments: object, **folders: object) -> str:
    before = set(Path.cwd().rglob("*"))
    assert evaluate("--epochs", 1, *arguments, **folders) == 2
    assert set(Path.cwd().rglob("*")) == before, "nothing half-written"
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


def test_a_set_of_other_pictures_is_told_by_name(
    clean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = striped(tmp_path / "other")
    (other / "left" / "0.png").rename(other / "left" / "new.png")
    told = refused(capsys, clean=clean, protected=other)
    assert "the first is left/0" in told
    assert "protect the whole folder" in told


def test_too_few_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = striped(tmp_path / "few", each=3)
    assert "too few" in refused(capsys, clean=few, protected=few)


def test_not_a_picture_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "d" / "left"
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text("hello")
    (tmp_path / "d" / "right").mkdir()
    told = refused(capsys, clean=tmp_path / "d", protected=tmp_path / "d")
    assert "left has no pictures" in told


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("--countermeasures", "prayer"),
            "--countermeasures does not know prayer; there are: none",
        ),
        (("--architectures", "lenet"), "--architectures does not know lenet; there are: resnet18"),
        (("--countermeasures", ","), "an empty list"),
        (("--shares", "0,100"), "whole numbers from 1 to 100"),
        (("--quick", "--full"), "not both"),
        (("--protected", "clean=x"), "'clean' is taken or no name"),
        (("--protected", "a/b=x", "--protected", "ä=x"), "write NAME=PATH"),
        (("--size", "30", "--architectures", "vit"), "a multiple of 4"),
        (("--method", "sem"), "protected here"),
        (("--out", "clean/left/0.png"), "is a file: name a folder"),
        (("--service", "http://127.0.0.1:9"), "belong together"),
    ],
)
def test_options_that_make_no_sense(
    clean: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], sentence: str
) -> None:
    own = {} if "--protected" in arguments else {"protected": clean}
    assert sentence in refused(capsys, *arguments, clean=clean, **own)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "or --quick for a look"),
        (("--clean", "x"), "belong together"),
        (("--service", "http://h"), "belong together"),
        (("--quick", "--test", "x"), "--test needs --clean"),
    ],
)
def test_pictures_that_are_not_given(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], sentence: str
) -> None:
    assert sentence in refused(capsys, *arguments)


def test_an_address_that_is_none(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "http://HOST:PORT" in refused(capsys, service="ftp://h", data=clean)


def test_a_service_that_refuses_a_picture(
    clean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (40, 40)).save(clean / "left" / "9.bmp")
    with serving(tmp_path / "service") as service, working(service):
        assert evaluate(*TINY, service=service.url, data=clean) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "9.bmp" in told
    assert "refused" in told


def test_a_service_that_is_away(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(*TINY, service="http://127.0.0.1:9", data=clean) == 1
    assert "cannot be reached" in " ".join(capsys.readouterr().err.split())


def test_trainers_start_from_named_networks_and_it_is_said_which_made_the_noise(
    clean: Path, tmp_path: Path
) -> None:
    code = evaluate(
        "--protected",
        f"a@1={clean}",
        "--protected",
        f"a@2={clean}",
        "--surrogates",
        "a=squeezenet-1.1,mobilenet-v2",
        *TINY,
        "--size",
        24,
        "--grid",
        32,
        "--pretrained-side",
        32,
        "--fine-tune-epochs",
        1,
        "--countermeasures",
        "knn:squeezenet-1.1,knn:efficientnet-lite0",
        clean=clean,
    )
    assert code == 0
    found = report(tmp_path / "evaluation-out")
    assert found["surrogates"] == {"a": ["mobilenet-v2", "squeezenet-1.1"]}
    rows = {(row["protection"], row["network"]): row for row in found["rows"]}
    worst = "a, worst of 2 secrets"
    assert rows[worst, "efficientnet-lite0"]["surrogates"] == ["mobilenet-v2", "squeezenet-1.1"]
    assert {protection for protection, _ in rows} == {"clean", "a@1", "a@2", worst}
    for protection in ("a@1", worst):
        assert rows[protection, "squeezenet-1.1"]["was_surrogate"]
        assert not rows[protection, "efficientnet-lite0"]["was_surrogate"]
    told = " ".join(found["findings"][worst])
    assert "helped to make the noise: nearest neighbours of features with squeezenet-1.1" in told
    assert len(list((tmp_path / "evaluation-out" / "derived").rglob("*.safetensors"))) >= 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--surrogates", "other=mobilenet-v2"), "a name of --protected: protected"),
        (("--surrogates", "mobilenet-v2"), "write NAME=NETWORK,NETWORK"),
        (("--surrogates", "protected=resnet-9000"), "does not know resnet-9000"),
        (("--leaked", "protected=clean"), "--originals needs --leaked"),
        (
            ("--originals", "clean", "--leaked", "other=clean"),
            "for each protection, by its name: protected",
        ),
        (("--grid", "16"), "--grid 16 is smaller than --size 32"),
        (("--countermeasures", "probe:resnet-9000"), "Those of pretrained networks may name one"),
    ],
)
def test_networks_that_are_not_there(
    clean: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], sentence: str
) -> None:
    assert sentence in refused(capsys, *arguments, clean=clean, protected=clean)


def test_pairs_that_leaked_are_learnt_from(clean: Path, tmp_path: Path) -> None:
    tried = ("--countermeasures", "unet-same,unet-other,d-vae", "--size", 16, *TINY)
    assert (
        evaluate(
            *tried,
            "--originals",
            clean,
            "--leaked",
            f"p={clean}",
            "--protected",
            f"p={clean}",
            "--purifier-epochs",
            1,
            clean=clean,
        )
        == 0
    )
    found = report(tmp_path / "evaluation-out")
    assert {row["countermeasure"] for row in found["rows"]} == {"unet-same", "d-vae"}
    assert "--leaked-elsewhere" in found["countermeasures"]["unet-other"]["missing"]
    cell = tmp_path / "evaluation-out" / "cells" / "p_unet-same_vgg_100_1000.json"
    assert len(json.loads(cell.read_text())["data"]["leak_sha256"]) == 128
