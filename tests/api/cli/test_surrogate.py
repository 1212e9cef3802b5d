"""``photoward surrogate``: training from folders, going on after an interruption, the list."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file, save_file

from photoward.api.cli import main
from photoward.core.catalogue import read_cards
from photoward.core.networks import read_networks, read_sets
from photoward.models.surrogates.pretrained import build, load_pretrained
from photoward.models.surrogates.surrogate import load_surrogate
from photoward.models.training.loop import Trainer
from tests.support import networks
from tests.support.folders import striped

if TYPE_CHECKING:
    from pathlib import Path

STEPS = 6


def run(*arguments: object) -> object:
    with pytest.raises(SystemExit) as caught:
        main(["surrogate", *map(str, arguments)])
    return caught.value.code


def train(data: Path, out: Path, *more: object) -> object:
    return run(
        "train",
        "--data",
        data,
        "--out",
        out,
        "--steps",
        STEPS,
        "--batch",
        16,
        "--name",
        "stripes",
        *more,
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return striped(tmp_path / "data", each=16)


def test_a_surrogate_is_trained_described_and_listed(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, holdout = tmp_path / "out", striped(tmp_path / "holdout", each=4)
    assert train(data, out, "--holdout", holdout, "--licence", "CC0-1.0") == 0
    card, weights = read_cards([out])["stripes"]
    assert card.classes == ["left", "right"]
    assert card.recipe["steps"] == STEPS
    assert card.licence == "CC0-1.0"
    assert set(card.figures) >= {"protected_accuracy_under_attack", "clean_accuracy"}
    load_surrogate(card, weights, torch.device("cpu"))
    assert "stripes.safetensors" in capsys.readouterr().out.replace("\n", "")

    os.environ["PHOTOWARD_ENGINE_SURROGATE_DIRS"] = json.dumps([str(out)])
    os.environ["PHOTOWARD_ENGINE_SURROGATE"] = "stripes"
    assert run("list") == 0
    listed = capsys.readouterr().out
    assert "(default)" in listed
    assert card.sha256[:5] in listed  # a narrow terminal breaks the rest
    assert "cifar10" in listed
    assert "2 classes" in listed
    assert "64 words" in " ".join(listed.split())


def test_a_surrogate_of_codewords_starts_from_one_of_classes(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(data, tmp_path / "a", "--code", "3,2", "--start", "cifar10-r18w16") == 0
    card, _ = read_cards([tmp_path / "a"])["stripes"]
    assert (card.classes, card.code, card.labeller) == ([], [3, 2], "cifar10-r18w16")
    assert card.recipe["start"] == read_cards([])["cifar10-r18w16"][0].sha256
    capsys.readouterr()


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--code", "3,1", "2 or more"),
        ("--code", "three", "2 or more"),
        ("--start", "absent", "no surrogate absent"),
        ("--width", "32", "of width 16"),
        ("--stride", "3", "does not go into --size 32"),
        ("--select", "all", "there is bullettrain"),
        ("--prune", "half", "there is rsr"),
    ],
)
def test_a_start_or_code_that_cannot_be_is_bad_input(
    tmp_path: Path, option: str, value: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = striped(tmp_path / "data")
    start = () if option == "--start" else ("--start", "cifar10-r18w16")
    assert train(data, tmp_path / "out", *start, option, value) == 2
    assert sentence in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


def test_a_start_whose_weights_are_damaged_is_bad_input(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(data, tmp_path / "a") == 0
    weights = tmp_path / "a" / "stripes.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    os.environ["PHOTOWARD_ENGINE_SURROGATE_DIRS"] = json.dumps([str(tmp_path / "a")])
    assert train(data, tmp_path / "b", "--start", "stripes") == 2
    assert "cannot be loaded" in " ".join(capsys.readouterr().err.split())


def test_a_surrogate_that_was_trained_thriftily_says_so(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("--select", "bullettrain", "--prune", "rsr", "--pruned", "0.25")
    assert train(data, tmp_path / "a", *more) == 0
    card, weights = read_cards([tmp_path / "a"])["stripes"]
    assert (card.recipe["select"], card.recipe["prune"]) == ("bullettrain", "rsr")
    assert card.inner == [16, 16, 24, 24, 48, 48, 96, 96]  # 12 of 16 are no whole eights
    load_surrogate(card, weights, torch.device("cpu"))
    os.environ["PHOTOWARD_ENGINE_SURROGATE_DIRS"] = json.dumps([str(tmp_path / "a")])
    capsys.readouterr()
    assert train(data, tmp_path / "b", "--start", "stripes") == 2
    assert "stripes is pruned" in " ".join(capsys.readouterr().err.split())


def test_an_interrupted_training_goes_on_to_the_same_weights(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(data, tmp_path / "whole") == 0
    monkeypatch.setattr(Trainer.run, "__defaults__", (None, 0.0))  # a checkpoint at every step
    real = Trainer._one_step
    began_at: list[int] = []

    def counted(self: Trainer) -> object:
        began_at.append(self.step)
        if len(began_at) == 4:
            raise KeyboardInterrupt
        return real(self)

    monkeypatch.setattr(Trainer, "_one_step", counted)
    assert train(data, tmp_path / "parts") == 130
    assert not (tmp_path / "parts" / "stripes.safetensors").exists()
    assert train(data, tmp_path / "parts") == 0
    assert began_at == [0, 1, 2, 3, 3, 4, 5]
    whole, parts = (read_cards([tmp_path / name])["stripes"][0] for name in ("whole", "parts"))
    assert whole.sha256 == parts.sha256
    capsys.readouterr()


def test_a_checkpoint_of_another_recipe_is_not_gone_on_with(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert train(data, out) == 0
    before = (out / "stripes.safetensors").read_bytes()
    assert train(data, out, "--seed", 1) == 2
    assert "another recipe" in capsys.readouterr().err
    assert (out / "stripes.safetensors").read_bytes() == before


@pytest.mark.parametrize("classes", [(), ("one",)])
def test_what_cannot_be_trained_on_is_bad_input(
    tmp_path: Path, classes: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "data"
    root.mkdir()
    striped(root, classes=classes)
    assert train(root, tmp_path / "out") == 2
    assert "at least two" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


def test_a_holdout_of_other_classes_is_bad_input(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = striped(tmp_path / "other", classes=("left", "middle"))
    assert train(data, tmp_path / "out", "--holdout", other) == 2
    assert "right" in capsys.readouterr().err


def imported(tmp_path: Path, *more: object) -> object:
    return run("import", networks.BUILDER, "--out", tmp_path / "own", "--name", "mine", *more)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.safetensors"
    torch.manual_seed(1)
    save_file(build(networks.BUILDER, 1000).state_dict(), path)
    return path


def test_a_network_is_imported_into_a_set_that_protects(
    tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert imported(tmp_path, "--weights", weights, "--into", "ours", "--licence", "MIT") == 0
    folder = tmp_path / "own"
    known = read_networks([folder])
    card, stored = known["mine"]
    assert (card.size, card.licence) == (160, "MIT")
    network = load_pretrained(card, stored, torch.device("cpu"))
    raw = build(networks.BUILDER, 1000)
    raw.load_state_dict(load_file(weights))
    x = torch.rand(1, 3, 64, 64)
    wanted = raw.eval()(network.normalise(x))
    assert torch.allclose(network.logits(x), wanted, atol=0.05)
    chosen = read_sets(known, [folder])["ours"]
    assert chosen.networks[-1] == "mine"
    assert len(chosen.networks) == len(known)
    os.environ["PHOTOWARD_ENGINE_SURROGATE_DIRS"] = json.dumps([str(folder)])
    os.environ["PHOTOWARD_ENGINE_NETWORKS"] = "ours"
    assert run("list") == 0
    assert "mine" in capsys.readouterr().out


def test_what_cannot_be_imported_is_told_and_leaves_nothing(
    tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = load_file(weights)
    name = "conv_stem.weight"
    other[name] = other[name][:1]
    save_file(other, tmp_path / "other.safetensors")
    (tmp_path / "none.safetensors").write_bytes(b"no weights")
    for arguments, says in (
        (("import", "timm:no_such_network", "--out", tmp_path / "own"), "no network"),
        (("import", "elsewhere:net", "--out", tmp_path / "own"), "no network"),
        (
            (
                "import",
                networks.BUILDER,
                "--weights",
                tmp_path / "other.safetensors",
                "--out",
                tmp_path / "own",
            ),
            "another network",
        ),
        (
            (
                "import",
                networks.BUILDER,
                "--weights",
                tmp_path / "none.safetensors",
                "--out",
                tmp_path / "own",
            ),
            "no safetensors file",
        ),
        (
            (
                "import",
                networks.BUILDER,
                "--weights",
                tmp_path / "gone.safetensors",
                "--out",
                tmp_path / "own",
            ),
            "no safetensors file",
        ),
        (
            (
                "import",
                "torchvision:squeezenet1_1",
                "--weights",
                weights,
                "--out",
                tmp_path / "own",
            ),
            "normalised",
        ),
    ):
        assert run(*arguments) == 2
        told = capsys.readouterr().err.replace("\n", " ")
        assert says in told, told
    assert not (tmp_path / "own").exists()
