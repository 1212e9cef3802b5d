"""Loading, folding and caching of surrogates."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import torch

from photoward.core.catalogue import read_cards, shipped_dir
from photoward.core.errors import Unavailable
from photoward.core.networks import SetCard, read_networks, read_sets
from photoward.models.surrogates.cache import SurrogateCache, pick_device
from photoward.models.surrogates.importing import write_card
from photoward.models.surrogates.pretrained import build, load_pretrained
from photoward.models.surrogates.surrogate import fastest_dtype, load_surrogate
from tests.support import networks, surrogates

if TYPE_CHECKING:
    from pathlib import Path

CPU = torch.device("cpu")


def cache(folder: Path, memory_mib: int = 64) -> SurrogateCache:
    return SurrogateCache(read_cards([folder]), CPU, memory_mib)


def test_folding_changes_nothing_but_the_cost() -> None:
    network = surrogates.network()
    x = torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        expected = network(x * 2 - 1)
        found = surrogates.surrogate().logits(x)
    assert torch.allclose(found, expected, atol=1e-4)
    folded = surrogates.surrogate().network
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())


def test_directions_are_unit_vectors_about_the_mean() -> None:
    surrogate = surrogates.surrogate()
    x = torch.rand(4, 3, 32, 32)
    found = surrogate.directions(x)
    assert torch.allclose(found.norm(dim=1), torch.ones(4), atol=1e-5)
    surrogate.feature_mean += 1
    assert not torch.allclose(surrogate.directions(x), found, atol=1e-2)


def test_weights_that_are_not_the_cards_are_refused(tmp_path: Path) -> None:
    weights = surrogates.write(tmp_path)
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(Unavailable, match="SHA-256"):
        cache(tmp_path).get("tiny")


def test_a_missing_file_or_name_is_unavailable(tmp_path: Path) -> None:
    surrogates.write(tmp_path).unlink()
    with pytest.raises(Unavailable, match="cannot be loaded"):
        cache(tmp_path).get("tiny")
    with pytest.raises(Unavailable, match="no surrogate"):
        cache(tmp_path).get("absent")


def test_a_surrogate_stays_loaded(tmp_path: Path) -> None:
    surrogates.write(tmp_path)
    kept = cache(tmp_path)
    assert kept.get("tiny") is kept.get("tiny")


def test_beyond_the_budget_the_least_recently_used_goes(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        surrogates.write(tmp_path, name)
    kept = cache(tmp_path)
    two = 2 * kept.get("a").memory_bytes
    kept._budget = two  # a whole MiB holds dozens of these
    kept.get("b")
    kept.get("a")
    kept.get("c")
    assert kept.loaded() == ["a", "c"]


def test_a_card_that_is_no_card_is_named(tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_text(json.dumps({"name": "odd"}))
    with pytest.raises(ValueError, match=r"odd\.json"):
        read_cards([tmp_path])


@pytest.mark.parametrize("name", sorted(read_cards([])))
def test_shipped_surrogates_load_and_classify(name: str) -> None:
    card, weights = read_cards([])[name]
    if not card.classes:
        assert read_cards([])[card.labeller or ""][0].classes
    assert weights.parent == shipped_dir()
    surrogate = load_surrogate(card, weights, CPU)
    grey = torch.full((3, 3, card.size, card.size), 0.5)
    predicted = surrogate.predict(grey, torch.ones(3))
    assert len(set(predicted)) == 1
    assert 0 <= predicted[0] < sum(card.alphabets)
    assert surrogate.feature_mean.numel() == card.feature_dim


def test_asking_for_cuda_without_cuda_says_so() -> None:
    if torch.cuda.is_available():
        pytest.skip("CUDA is here")
    with pytest.raises(Unavailable, match="no CUDA"):
        pick_device("cuda")
    assert pick_device("auto").type == "cpu"
    assert fastest_dtype(CPU) in {torch.bfloat16, torch.float32}


def test_sets_and_surrogates_share_one_memory(tmp_path: Path) -> None:
    surrogates.write(tmp_path)
    for number in range(2):
        networks.write(tmp_path, f"net-{number}", seed=number)
    write_card(SetCard(name="both", networks=["net-0", "net-1"]), tmp_path)
    known = read_networks([tmp_path])
    sets = read_sets(known, [tmp_path])
    own = SurrogateCache(read_cards([tmp_path]), CPU, 1, known, sets)
    assert [net.card.name for net in own.networks("both")] == ["net-0", "net-1"]
    assert own.networks("both")[0] is own.networks("both")[0]
    own.get("tiny")
    assert own.loaded()[-1] == "tiny"  # what is in use stays, beyond the budget, too
    with pytest.raises(Unavailable, match="no set of networks"):
        own.networks("absent")


def test_a_member_that_is_not_its_cards_leaves_the_set_unavailable(tmp_path: Path) -> None:
    networks.write(tmp_path)
    path = tmp_path / "small.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    known = read_networks([tmp_path])
    own = SurrogateCache({}, CPU, 64, known, read_sets(known, [tmp_path]))
    with pytest.raises(Unavailable, match=r"'small' cannot be loaded.*SHA-256"):
        own.networks("only-small")


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    card = networks.write(tmp_path)
    other = card.model_copy(update={"builder": "timm:test_resnet"})
    with pytest.raises(ValueError, match="test_resnet"):
        load_pretrained(other, tmp_path / "small.safetensors", CPU)
    with pytest.raises(ValueError, match="There is no network"):
        build("timm:none_such", 10)
