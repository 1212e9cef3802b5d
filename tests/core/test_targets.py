"""What labels are steered to."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from photoward.core import key_derivation
from photoward.core.networks import groups
from photoward.core.targets import NOTHING, MemoryTargets, Sighting, Target, choose

SPARE = tuple(range(900, 964))


def sighting(home: int, *likely: int, vertices: tuple[int, ...] = (2, 0, 1)) -> Sighting:
    return Sighting(home, frozenset({home, *likely}), SPARE, vertices)


def test_the_first_label_gets_a_class_by_the_key_and_others_the_home_before_theirs() -> None:
    kept = MemoryTargets()
    sightings = [functools.partial(sighting, 10 * n) for n in range(4)]
    found = [kept.get_or_choose("alice", str(n), one) for n, one in enumerate(sightings)]
    assert [one.anchor for one in found] == [900, 0, 10, 20]
    assert len({one.vertex for one in found[:3]}) == 3


def test_a_target_stays_and_is_the_tenants_own() -> None:
    kept = MemoryTargets()
    first = kept.get_or_choose("alice", "cat", lambda: sighting(281))
    kept.get_or_choose("alice", "dog", lambda: sighting(200))
    assert kept.get_or_choose("alice", "cat", lambda: pytest.fail("looked again")) == first
    assert kept.get_or_choose("bob", "dog", lambda: sighting(200)).anchor == 900


def test_no_label_is_steered_to_what_its_pictures_may_be() -> None:
    others = [Target(home=281, anchor=900, vertex=0)]
    assert choose(sighting(285, 281), others).anchor == 901
    content = Sighting(1, frozenset(SPARE), SPARE, (0,))
    with pytest.raises(ValueError, match="its own content"):
        choose(content, [])


def test_without_networks_only_the_direction_is_chosen() -> None:
    assert choose(Sighting(NOTHING, frozenset(), (), (1, 0)), []) == Target(NOTHING, NOTHING, 1)


def test_more_labels_than_vertices_share_the_best() -> None:
    taken = [Target(0, 900 + n, n) for n in range(3)]
    assert choose(sighting(5), taken).vertex == 2


def test_vertices_are_as_far_apart_as_can_be_and_turned_by_the_secret() -> None:
    one, other = (key_derivation.simplex(bytes([n]) * 32, 9) for n in (1, 2))
    cosines = one @ one.T
    assert np.allclose(np.diag(cosines), 1, atol=1e-5)
    assert np.allclose(cosines[~np.eye(10, dtype=bool)], -1 / 9, atol=1e-5)
    assert np.abs(one - other).max() > 0.1
    assert (key_derivation.simplex(bytes([1]) * 32, 9) == one).all()


def test_each_class_of_imagenet_is_in_one_group_with_its_centre() -> None:
    assert sorted(c for group in groups() for c in group.classes) == list(range(1000))
    assert all(group.centre in group.classes for group in groups())
    assert len({group.name for group in groups()}) == len(groups()) == 64
