"""Trainers who start from a network that knows ImageNet: on tiny data, by the smallest network."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest
import torch

from photoward.core.errors import BadInput
from photoward.models.evaluation.pretrained_networks import Networks
from photoward.models.evaluation.registry import named, registry
from photoward.models.evaluation.result_cache import Derived
from photoward.models.evaluation.trainer_run import Leak, VictimRecipe
from photoward.models.evaluation.trainers.frozen_features import Known, Probe
from photoward.models.evaluation.trainers.victim import train_victim
from tests.models.evaluation.pictures import pictures

if TYPE_CHECKING:
    from pathlib import Path

    from photoward.models.evaluation.trainer_run import Verdict

CPU = torch.device("cpu")
SMALL = "squeezenet-1.1"
NETWORKS = Networks.installed()
ALL = registry(pretrained_side=32, fine_tune_epochs=1, purifier_epochs=1, networks=NETWORKS)
RECIPE = VictimRecipe(architecture=SMALL, size=16, grid=20, epochs=4, batch=8)
KINDS = [name.partition(":")[0] for name in ALL if name.endswith(SMALL)]


def leaks() -> dict[str, Leak]:
    before = pictures(4, seed=2, side=20).pictures
    return {"same": Leak(before, before // 2, "digest")}


def trained(kind: str, derived: Derived | None = None) -> Verdict:
    one = ALL[f"{kind}:{SMALL}"]
    own: dict[str, Any] = dict(one.recipe)
    recipe = replace(RECIPE, architecture=one.network or "vgg", **own)
    return train_victim(
        pictures(12, side=20),
        pictures(4, seed=1, side=20),
        recipe,
        CPU,
        countermeasure=one,
        derived=derived,
        leaks=leaks(),
    )


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "other" not in kind])
def test_each_way_from_imagenet_can_be_gone(kind: str) -> None:
    verdict = trained(kind)
    assert 0 <= verdict.test_accuracy <= verdict.peak_accuracy <= 1
    assert verdict.peak_accuracy == max(*verdict.test_curve, verdict.test_accuracy)


def test_there_are_the_rows_of_an_honest_evaluation() -> None:
    assert KINDS == [
        "probe",
        "nearest-mean",
        "knn",
        "fine-tune-0.001",
        "fine-tune-0.003",
        "fine-tune-0.01",
        "fine-tune-0.03",
        "probe-fine-tune",
        "frozen-early",
        "grey-fine-tune",
        "low-pass-10",
        "low-pass-20",
        "low-pass-30",
        "d-vae-probe",
        "d-vae-fine-tune",
        "unet-same-probe",
        "unet-same-fine-tune",
        "unet-other-probe",
        "unet-other-fine-tune",
        "external-8",
        "external-25",
    ]
    assert set(ALL["fine-tune-0.03:mobilenet-v2"].recipe.items()) >= {
        ("learning_rate", 0.03),
        ("epochs", 1),
    }


@pytest.mark.parametrize("kind", ["probe", "nearest-mean", "knn"])
def test_a_trainer_of_frozen_features_learns(kind: str) -> None:
    verdict = trained(kind)
    assert verdict.test_accuracy >= 0.9
    assert len(verdict.test_curve) == (40 if kind == "probe" else 1)


def test_features_are_computed_once_for_each_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained("probe", Derived(tmp_path))
    monkeypatch.setattr(type(NETWORKS.frozen(SMALL, CPU)), "features", None)
    assert trained("knn", Derived(tmp_path)).test_accuracy >= 0.9, "nobody was asked again"


def test_a_probe_may_be_the_head_to_begin_with() -> None:
    x = torch.randn((40, 512), generator=torch.Generator().manual_seed(0)) * 3 + 1
    probe = Probe(Known(x, torch.arange(40) % 2, 2, 0))
    for _ in probe.fit():
        pass
    weight, bias = probe.head()
    assert torch.allclose(x @ weight.T + bias, probe(x), atol=1e-3)
    victim = NETWORKS.victim(SMALL, 2, 32)
    victim.begin_with(weight, bias)
    assert cast("Any", victim.network).classifier[1].weight.flatten(1).equal(weight)


def test_frozen_layers_stay_as_they_are() -> None:
    victim = NETWORKS.victim("mobilenet-v2", 2, 32)
    victim.freeze(0.5)
    victim.train()
    still = [one for one in victim.network.modules() if isinstance(one, torch.nn.BatchNorm2d)]
    assert not still[0].training
    assert still[-1].training
    network = cast("Any", victim.network)
    assert not network.conv_stem.weight.requires_grad
    assert network.classifier.weight.requires_grad


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("fine-tune:mobilenet-v2", 4),
        ("fine-tune-0.03", len(NETWORKS.known)),
        ("none", 1),
        ("probe:efficientnet-lite1", 1),
        ("low-pass", 3 * len(NETWORKS.known)),
        ("all", len(ALL)),
    ],
)
def test_a_word_means_rows(word: str, count: int) -> None:
    assert len(named([word], ALL)) == count


@pytest.mark.parametrize("word", ["fine-tune:resnet-9000", "fine", "mobilenet-v2", ""])
def test_an_unknown_word_is_answered_with_the_known_ones(word: str) -> None:
    with pytest.raises(BadInput, match="there are: none") as caught:
        named([word], ALL)
    assert "fine-tune-0.01" in str(caught.value)
    assert "mobilenet-v2" in str(caught.value)
