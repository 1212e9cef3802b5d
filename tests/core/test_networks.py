"""Cards of pretrained networks and of sets."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from photoward.core.networks import read_networks, read_sets, shipped_dir
from tests.support import networks

if TYPE_CHECKING:
    from pathlib import Path


def test_the_shipped_ones_are_whole_and_say_their_licence() -> None:
    known = read_networks()
    assert len({card.family for card, _ in known.values()}) >= 3
    for card, weights in known.values():
        assert hashlib.sha256(weights.read_bytes()).hexdigest() == card.sha256
        assert card.licence in {"Apache-2.0", "BSD-3-Clause"}
    sets = read_sets(known)
    assert set(sets["imagenet"].networks) == set(known)
    assert "mobilenet-v2" not in sets["imagenet-without-mobilenet-v2"].networks


def test_a_folder_adds_networks_and_sets(tmp_path: Path) -> None:
    card = networks.write(tmp_path)
    known = read_networks([tmp_path])
    assert known["small"] == (card, tmp_path / "small.safetensors")
    assert read_sets(known, [tmp_path])["only-small"].networks == ["small"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"networks": ["small", "gone"]}, "names gone, which is not installed"),
        ({"per_step": 2}, "asks 2 a step and has fewer"),
        ({"networks": []}, "is not the card that its name says"),
        ({"more": 1}, "is not the card that its name says"),
    ],
)
def test_a_set_that_cannot_be_used_is_told(
    tmp_path: Path, change: dict[str, object], says: str
) -> None:
    networks.write(tmp_path)
    path = tmp_path / "only-small.set.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ValueError, match=says):
        read_sets(read_networks([tmp_path]), [tmp_path])


def test_a_network_without_normalisation_is_told(tmp_path: Path) -> None:
    networks.write(tmp_path)
    path = tmp_path / "small.network.json"
    told = json.loads(path.read_text())
    del told["mean"]
    path.write_text(json.dumps(told))
    with pytest.raises(ValueError, match="mean"):
        read_networks([tmp_path])


def test_what_ships_is_where_the_weights_are() -> None:
    assert (shipped_dir() / "imagenet.set.json").is_file()


def test_a_network_without_classes_is_in_no_set(tmp_path: Path) -> None:
    networks.write(tmp_path)
    path = tmp_path / "small.network.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "classes": 0}))
    with pytest.raises(ValueError, match="small, which has no classes"):
        read_sets(read_networks([tmp_path]), [tmp_path])
