"""Which cells are trained, and which are taken as they are."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from photoward.models.evaluation import matrix as module
from photoward.models.evaluation.matrix import Matrix, Plan
from photoward.models.evaluation.picture_sets import Subjects, assemble
from photoward.models.evaluation.registry import registry
from photoward.models.evaluation.trainer_run import Verdict, VictimRecipe
from tests.models.evaluation.pictures import pictures

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PLAN = Plan(["p"], ["none", "jpeg-10"], ["vgg"])
RECIPE = VictimRecipe(size=16, epochs=1, batch=8)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which recipes were trained, in place of training."""
    seen: list[str] = []

    def train(
        _train: object, _test: object, recipe: VictimRecipe, *_: object, **_more: object
    ) -> Verdict:  # not looked at
        seen.append(f"{recipe.architecture} {recipe.seed}")
        return Verdict(0.9, 0.4, 1.0, asdict(recipe), [0.9], [0.4])

    monkeypatch.setattr(module, "train_victim", train)
    return seen


def subjects(protected_seed: int = 1) -> Subjects:
    return assemble(pictures(), {"p": pictures(seed=protected_seed)}, None, holdout=0.3)


def matrix(folder: Path, **parts: Any) -> Matrix:  # noqa: ANN401  # any part's type
    usual: dict[str, Any] = {
        "subjects": subjects(),
        "recipe": RECIPE,
        "countermeasures": registry(),
        "folder": folder,
        "device": torch.device("cpu"),
    }
    return Matrix(**usual | parts)


def test_what_is_finished_is_not_trained_again(trained: list[str], tmp_path: Path) -> None:
    first = list(matrix(tmp_path).run(PLAN.cells()))
    assert len(trained) == 4
    assert list(matrix(tmp_path).run(PLAN.cells())) == first
    assert len(trained) == 4
    assert {path.name for path in tmp_path.iterdir()} == {
        "clean_none_vgg_000_1000.json",
        "clean_jpeg-10_vgg_000_1000.json",
        "p_none_vgg_100_1000.json",
        "p_jpeg-10_vgg_100_1000.json",
    }


def test_an_interrupted_run_goes_on(trained: list[str], tmp_path: Path) -> None:
    run = matrix(tmp_path).run(PLAN.cells())
    next(run)
    run.close()
    assert 1 <= len(trained) == len(list(tmp_path.iterdir()))
    assert len(list(matrix(tmp_path).run(PLAN.cells()))) == 4
    assert len(trained) == 4


def test_training_ends_with_its_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = iter([Verdict(0.9, 0.4, 1.0, {})])

    def endless(*_: object, report: Callable[[int, float], None], **_more: object) -> Verdict:
        for verdict in quick:
            return verdict
        while True:
            report(1, 0.0)
            time.sleep(0.01)

    monkeypatch.setattr(module, "train_victim", endless)
    run = matrix(tmp_path).run(PLAN.cells())
    next(run)
    run.close()
    assert len(list(tmp_path.iterdir())) == 1


def test_another_recipe_is_trained_anew(trained: list[str], tmp_path: Path) -> None:
    list(matrix(tmp_path).run(PLAN.cells()))
    list(matrix(tmp_path, recipe=replace(RECIPE, epochs=2)).run(PLAN.cells()))
    assert len(trained) == 8


def test_another_parameter_touches_its_own_cells(trained: list[str], tmp_path: Path) -> None:
    plan = replace(PLAN, countermeasures=["none", "at-4"])
    list(matrix(tmp_path).run(plan.cells()))
    list(matrix(tmp_path, countermeasures=registry(attack_steps=3)).run(plan.cells()))
    assert len(trained) == 4 + 2


def test_other_data_touch_their_own_cells(trained: list[str], tmp_path: Path) -> None:
    list(matrix(tmp_path).run(PLAN.cells()))
    list(matrix(tmp_path, subjects=subjects(protected_seed=2)).run(PLAN.cells()))
    assert len(trained) == 4 + 2


@pytest.mark.parametrize("broken", ["", "[]", '{"cell": 1}'])
def test_a_file_that_is_no_cell_is_replaced(
    trained: list[str], tmp_path: Path, broken: str
) -> None:
    list(matrix(tmp_path).run(PLAN.cells()))
    path = tmp_path / "p_none_vgg_100_1000.json"
    path.write_text(broken)
    list(matrix(tmp_path).run(PLAN.cells()))
    assert len(trained) == 5
    assert json.loads(path.read_text())["test_accuracy"] == 0.4


def test_a_cell_says_how_it_was_made(trained: list[str], tmp_path: Path) -> None:
    found = next(matrix(tmp_path).run(PLAN.cells()))
    assert trained[0] == "vgg 1000"
    assert found["cell"]["protection"] == "clean"
    assert found["recipe"]["architecture"] == "vgg"
    assert found["data"]["train_sha256"] == subjects().clean.digest()
    assert {"versions", "device", "seconds", "train_curve", "test_curve"} <= set(found)


def test_a_plan_has_each_cell_once_and_plain_training_first() -> None:
    plan = Plan(
        ["p", "q"],
        ["at-4", "none", "pretrained"],
        ["vgg", "vit"],
        {"pretrained": "efficientnet-lite0"},
        seeds=(1, 2),
        plain_architectures=("resnet18", "vgg"),
        plain_shares=(20, 100),
    )
    cells = plan.cells()
    assert len(cells) == len(set(cells))
    one = [cell for cell in cells if cell.seed == 1]
    assert cells[: len(one)] == one
    plain = [cell for cell in one if cell.countermeasure == "none"]
    assert one[: len(plain)] == plain
    assert {c.architecture for c in one if c.countermeasure == "pretrained"} == {
        "efficientnet-lite0"
    }
    assert {(c.architecture, c.share) for c in plain if c.protection == "q"} == {
        ("vgg", 100),
        ("vit", 100),
        ("resnet18", 100),
        ("vgg", 20),
    }
    assert {c.share for c in one if c.protection == "clean"} == {0}
