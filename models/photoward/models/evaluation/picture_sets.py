"""The pictures that an evaluation compares: clean, protected in one or several ways, and for tests.

Makes sure that sets differ in nothing but their protection. Knows no trainer and no method.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import torch

from photoward.core.errors import BadInput
from photoward.models.evaluation.trainer_run import Leak

if TYPE_CHECKING:
    from collections.abc import Mapping

    from photoward.models.training.data import LabelledPictures

LEAKED = 500
"""Pairs of an original and its protected file that a purifier learns from."""

LEAST_TRAINING = 4
LEAST_TEST = 2
"""Pictures of each class without which nothing can be trained or told."""


@dataclass(frozen=True)
class Subjects:
    """Training sets of the same pictures in the same order, and clean pictures to test on."""

    clean: LabelledPictures
    protected: Mapping[str, LabelledPictures]
    """Name → the same pictures, protected."""
    test: LabelledPictures
    held_out: bool
    """Whether the test pictures were taken from the clean folder."""
    leaks: Mapping[str, Mapping[str, Leak]] = field(default_factory=dict)
    """Protection → whose pictures leaked → the pairs."""

    def leaked(self, protection: str) -> Mapping[str, Leak]:
        """What a purifier of this protection learns from; of the first one for the control."""
        first = next(iter(self.leaks.values()), {})
        return self.leaks.get(protection, {}) if protection in self.protected else first

    def training(self, protection: str | None, share: int) -> LabelledPictures:
        """What a trainer scrapes: ``share`` % of each class protected, the rest as it was.

        The same pictures are protected whatever the protection, and all of a smaller share are
        among those of a larger one.
        """
        if protection is None:
            return self.clean
        chosen = torch.zeros(len(self.clean.labels), dtype=torch.bool)
        for own in _by_class(self.clean):
            chosen[own[: round(len(own) * share / 100)]] = True
        pictures = torch.where(
            chosen[:, None, None, None], self.protected[protection].pictures, self.clean.pictures
        )
        return replace(self.clean, pictures=pictures)


def assemble(
    clean: LabelledPictures,
    protected: Mapping[str, LabelledPictures],
    test: LabelledPictures | None,
    *,
    holdout: float,
    limit: int | None = None,
) -> Subjects:
    """Bring the sets into one order and hold test pictures out where none are given.

    Args:
        clean: the unprotected pictures, with names.
        protected: name → the same pictures, protected.
        test: other clean pictures, or None: a share of ``clean`` that nobody trains on.
        holdout: that share, between 0 and 1.
        limit: at most this many training pictures, evenly over the classes; None: all.

    Raises:
        BadInput: the sets are not of the same pictures, or a class has too few.
    """
    aligned = {name: align(clean, other, name) for name, other in protected.items()}
    kept = list(range(len(clean.labels)))
    held: list[int] = []
    for own in _by_class(clean):
        count = round(len(own) * holdout) if test is None else 0
        held += own[:count]
        if limit is not None:
            spare = own[count + max(1, limit // len(clean.classes)) :]
            kept = sorted(set(kept) - set(spare))
    kept = sorted(set(kept) - set(held))
    found = Subjects(
        clean.take(kept),
        {name: other.take(kept) for name, other in aligned.items()},
        test or clean.take(sorted(held)),
        held_out=test is None,
    )
    _require(found.clean, LEAST_TRAINING, "to train on")
    _require(found.test, LEAST_TEST, "to test on")
    return found


def leak(originals: LabelledPictures, protected: LabelledPictures, name: str) -> Leak:
    """At most ``LEAKED`` pairs, by lot.

    Raises:
        BadInput: the two are not of the same pictures.
    """
    paired = align(originals, protected, name)
    lots = sorted(range(len(originals.labels)), key=lambda i: _lot(originals.names[i]))[:LEAKED]
    before, after = originals.take(lots), paired.take(lots)
    return Leak(before.pictures, after.pictures, before.digest() + after.digest())


def align(clean: LabelledPictures, protected: LabelledPictures, name: str) -> LabelledPictures:
    """``protected`` in the order of ``clean``: by path, or by path without the suffix.

    Raises:
        BadInput: the two are not of the same pictures.
    """
    for key in (str, _stem):
        ours, theirs = [key(n) for n in clean.names], [key(n) for n in protected.names]
        if Counter(ours) == Counter(theirs) and len(set(ours)) == len(ours):
            place = {other: i for i, other in enumerate(theirs)}
            found = protected.take([place[one] for one in ours])
            if found.labels.equal(clean.labels):
                return found
            raise BadInput("invalid_option", f"Clean and {name} give a picture different labels.")
    missing = sorted(set(map(_stem, clean.names)) - set(map(_stem, protected.names)))
    extra = sorted(set(map(_stem, protected.names)) - set(map(_stem, clean.names)))
    told = [
        f"{len(some)} {what}, the first is {some[0]}"
        for some, what in ((missing, "are not protected"), (extra, "have no clean picture"))
        if some
    ]
    raise BadInput(
        "invalid_option",
        f"Clean and {name} hold different sets of pictures"
        f"{' (' + '; '.join(told) + ')' if told else ''}: protect the whole folder first.",
    )


def _stem(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))


def _lot(name: str) -> bytes:
    """A fixed drawing of lots among file names, so that a picture's lot never changes."""
    return hashlib.sha256(name.encode()).digest()


def _by_class(pictures: LabelledPictures) -> list[list[int]]:
    """The numbers of each class's pictures, in the order of their lots."""
    found: list[list[int]] = [[] for _ in pictures.classes]
    labels = pictures.labels.tolist()
    for i in sorted(range(len(labels)), key=lambda i: _lot(pictures.names[i])):
        found[labels[i]].append(i)
    return found


def _require(pictures: LabelledPictures, least: int, purpose: str) -> None:
    counts = pictures.labels.bincount(minlength=len(pictures.classes)).tolist()
    for name, count in zip(pictures.classes, counts, strict=True):
        if count < least:
            raise BadInput(
                "invalid_option",
                f"The class {name} has {count} pictures {purpose}, which is too few: give at least "
                f"{least}, and hundreds for figures that mean something.",
            )
