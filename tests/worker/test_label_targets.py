"""Labels that are guessed, and what labels are steered to."""

from __future__ import annotations

import skimage.data
import torch
from PIL import Image

from photoward.core.catalogue import read_cards
from photoward.core.networks import groups, read_networks
from photoward.models.surrogates.pretrained import load_pretrained
from photoward.models.surrogates.surrogate import load_surrogate
from photoward.worker import label_targets
from tests.support import networks, surrogates

CPU = torch.device("cpu")


def look(picture: Image.Image) -> label_targets.PixelSample:
    shown = picture.convert("RGB").resize((224, 224))
    return label_targets.PixelSample(
        torch.tensor(list(shown.tobytes()), dtype=torch.uint8).reshape(224, 224, 3).numpy(),
        picture.width / picture.height,
    )


CAT = look(Image.fromarray(skimage.data.chelsea()))


def test_a_cat_is_guessed_as_what_networks_take_for_it() -> None:
    card, weights = read_networks()["mobilenet-v2"]
    found = label_targets.class_probabilities([load_pretrained(card, weights, CPU)], [CAT])
    assert found.shape == (1, 1000)
    assert float(found.sum()) - 1 < 1e-3
    assert 281 in label_targets.likely_group(found[0]).classes  # a tabby


def test_a_pictures_guess_does_not_depend_on_its_neighbours() -> None:
    net = networks.pretrained()
    other = look(Image.effect_noise((80, 60), 50))
    alone = label_targets.class_probabilities([net], [CAT])
    assert torch.equal(label_targets.class_probabilities([net], [other, CAT])[1:], alone)


def test_a_label_is_steered_away_from_what_its_pictures_show() -> None:
    card, weights = read_cards(())["photo-r18w16"]
    robust = load_surrogate(card, weights, CPU)
    label = label_targets.Label("alice", bytes(32), "cat")
    found = label_targets.sighting(label, [CAT], [networks.pretrained()], robust)
    directions = label_targets.label_directions(robust, bytes(32))
    assert directions.shape == (10, card.feature_dim)
    assert sorted(found.vertices) == list(range(10))
    shown = label_targets._order(bytes(32), [CAT], robust)
    assert shown == found.vertices
    assert found.home in found.likely
    assert not set(found.spare[:3]) - {group.centre for group in groups()}
    other = label_targets.sighting(
        label_targets.Label("alice", bytes(32), "dog"), [CAT], [networks.pretrained()], robust
    )
    assert other.spare != found.spare


def test_directions_lie_where_the_surrogate_is_robust() -> None:
    robust = surrogates.surrogate()
    span = robust.span
    assert span.shape == (1, robust.card.feature_dim)  # two classes differ in one direction
    found = label_targets.label_directions(robust, bytes(32))
    assert torch.allclose(found @ span.T @ span, found, atol=1e-5)
    assert torch.allclose(found.norm(dim=1), torch.ones(2), atol=1e-5)
