"""What every ledger promises of what labels are steered to."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from photoward.core.targets import Sighting, Target

if TYPE_CHECKING:
    from photoward.core.ledger import Ledger

SPARE = tuple(range(900, 964))


def sighting(home: int) -> Sighting:
    return Sighting(home, frozenset({home}), SPARE, (3, 1, 0, 2))


def test_a_label_keeps_its_target_and_others_follow_it(ledger: Ledger) -> None:
    cat = ledger.targets.get_or_choose("alice", "cat", lambda: sighting(281))
    dog = ledger.targets.get_or_choose("alice", "dog", lambda: sighting(200))
    assert (cat, dog) == (Target(281, 900, 3), Target(200, 281, 1))
    assert ledger.targets.get_or_choose("alice", "cat", lambda: pytest.fail("asked again")) == cat
    assert ledger.targets.get_or_choose("bob", "dog", lambda: sighting(200)) == Target(200, 900, 3)


def test_who_comes_at_once_agrees(ledger: Ledger) -> None:
    names = [str(n % 8) for n in range(32)]
    with ThreadPoolExecutor(8) as pool:
        found = list(
            pool.map(
                lambda name: ledger.targets.get_or_choose(
                    "alice", name, lambda: sighting(int(name))
                ),
                names,
            )
        )
    kept: dict[str, Target] = {}
    for name, target in zip(names, found, strict=True):
        assert kept.setdefault(name, target) == target
    anchors = [target.anchor for target in kept.values()]
    assert len(set(anchors)) == len(anchors)
    for one, other in itertools.pairwise(sorted(kept, key=lambda name: kept[name].vertex)[:4]):
        assert kept[one].vertex != kept[other].vertex


def test_they_end_with_their_tenant(ledger: Ledger) -> None:
    ledger.targets.get_or_choose("alice", "cat", lambda: sighting(281))
    ledger.targets.get_or_choose("bob", "cat", lambda: sighting(281))
    ledger.tenants.erase("alice")
    again = ledger.targets.get_or_choose("alice", "cat", lambda: sighting(7))
    assert again.home == 7
    assert ledger.targets.get_or_choose("bob", "cat", lambda: sighting(7)).home == 281
