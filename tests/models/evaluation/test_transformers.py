"""A pretrained vision transformer as a trainer's start, and how it is read from its package."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
import torch

from docs import vit
from photoward.models.evaluation.pretrained_networks import Networks
from photoward.models.evaluation.registry import registry
from photoward.models.evaluation.trainer_run import VictimRecipe
from photoward.models.evaluation.trainers.victim import train_victim
from photoward.models.surrogates.importing import write_network
from photoward.models.surrogates.pretrained import build
from tests.models.evaluation.pictures import pictures

if TYPE_CHECKING:
    from pathlib import Path

HALF = (0.5, 0.5, 0.5)


@pytest.fixture
def networks(tmp_path: Path) -> Networks:
    builder = "timm:vit_tiny_patch16_224"
    write_network(
        tmp_path,
        name="vit",
        builder=builder,
        family="vit",
        size=224,
        mean=HALF,
        std=HALF,
        weights=build(builder, 0).state_dict(),
        source="drawn",
        licence="none",
        classes=0,
    )
    return Networks.installed([tmp_path])


def test_a_transformer_takes_pictures_of_any_size_and_has_no_classes(networks: Networks) -> None:
    known = registry(pretrained_side=24, fine_tune_epochs=1, networks=networks)
    assert "external-8:mobilenet-v2" in known
    assert "external-8:vit" not in known, "it has no opinion to go away from"
    for kind in ("probe", "probe-fine-tune"):
        verdict = train_victim(
            pictures(6, side=24),
            pictures(3, seed=1, side=24),
            VictimRecipe(architecture="vit", size=24, epochs=1, batch=6),
            torch.device("cpu"),
            countermeasure=known[f"{kind}:vit"],
        )
        assert 0 <= verdict.peak_accuracy <= 1


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return bytes([number << 3, value])
    return bytes([number << 3 | 2, len(value)]) + value


def tensor(name: str, *samples: float) -> bytes:
    raw = struct.pack(f"{len(samples)}f", *samples)
    shape = field(1, len(samples) // 2) + field(1, 2) if len(samples) > 2 else field(1, 2)
    return field(5, shape + field(8, name.encode()) + field(9, raw))


def node(kind: str, inputs: tuple[str, str], output: str) -> bytes:
    names = b"".join(field(1, one.encode()) for one in inputs)
    return field(1, names + field(2, output.encode()) + field(4, kind.encode()))


def test_a_matrix_without_a_name_is_known_by_its_bias() -> None:
    graph = (
        node("MatMul", ("x", "onnx::MatMul_7"), "product")
        + node("Add", ("layer.query.bias", "product"), "sum")
        + tensor("onnx::MatMul_7", 1, 2, 3, 4)
        + tensor("layer.query.bias", 5, 6)
    )
    found = vit.tensors(vit.message(graph))
    assert found["layer.query.weight"].tolist() == [[1, 3], [2, 4]]
    assert found["layer.query.bias"].tolist() == [5, 6]
