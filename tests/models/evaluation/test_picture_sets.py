"""Which pictures are compared with which."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from photoward.core.errors import BadInput
from photoward.models.evaluation.picture_sets import align, assemble
from tests.models.evaluation.pictures import pictures

if TYPE_CHECKING:
    from photoward.models.training.data import LabelledPictures


def inverted(of: LabelledPictures, suffix: str = ".png") -> LabelledPictures:
    names = tuple(name.replace(".png", suffix) for name in of.names)
    return replace(of, pictures=255 - of.pictures, names=names)


def test_pictures_find_their_partners_whatever_order_and_suffix() -> None:
    clean = pictures()
    order = torch.randperm(20, generator=torch.Generator().manual_seed(0)).tolist()
    found = align(clean, inverted(clean, ".jpg").take(order), "p")
    assert found.pictures.equal(255 - clean.pictures)
    assert found.labels.equal(clean.labels)


def test_what_is_held_out_is_trained_on_by_nobody() -> None:
    clean = pictures()
    found = assemble(clean, {"p": inverted(clean)}, None, holdout=0.3)
    assert found.held_out
    assert found.test.labels.bincount().tolist() == [3, 3]
    assert not set(found.test.names) & set(found.clean.names)
    assert set(found.test.names) | set(found.clean.names) == set(clean.names)
    assert found.protected["p"].pictures.equal(255 - found.clean.pictures)
    again = assemble(inverted(clean), {"p": clean}, None, holdout=0.3)
    assert again.test.names == found.test.names


def test_shares_grow_within_each_class() -> None:
    clean = pictures()
    found = assemble(clean, {"p": inverted(clean)}, pictures(3, 1), holdout=0.3)
    assert found.training(None, 0).pictures.equal(clean.pictures)
    before = torch.zeros(20, dtype=torch.bool)
    for share in (20, 50, 100):
        trained = found.training("p", share)
        changed = (trained.pictures != clean.pictures).flatten(1).any(1)
        assert clean.labels[changed].bincount().tolist() == [share // 10] * 2
        assert changed[before].all()
        before = changed


def test_fewer_pictures_are_spread_over_the_classes() -> None:
    clean = pictures()
    found = assemble(clean, {"p": inverted(clean)}, None, holdout=0.2, limit=10)
    assert found.clean.labels.bincount().tolist() == [5, 5]
    assert found.test.labels.bincount().tolist() == [2, 2]


def test_other_pictures_are_named() -> None:
    clean = pictures()
    with pytest.raises(BadInput, match=r"different sets.*3 are not protected.*left/7"):
        align(clean, clean.take([i for i in range(20) if i not in {7, 8, 9}]), "p")
    other = replace(clean, names=("left/new.png", *clean.names[1:]))
    with pytest.raises(BadInput, match=r"1 have no clean picture, the first is left/new"):
        align(clean, other, "p")


def test_other_labels_are_refused() -> None:
    clean = pictures()
    with pytest.raises(BadInput, match="different labels"):
        align(clean, replace(clean, labels=1 - clean.labels), "p")


@pytest.mark.parametrize(("each", "purpose"), [(4, "to train on"), (6, "to test on")])
def test_too_few_pictures_are_refused(each: int, purpose: str) -> None:
    with pytest.raises(BadInput, match=f"{purpose}.*hundreds"):
        assemble(pictures(each), {}, None, holdout=0.25 if each == 4 else 0.2)
