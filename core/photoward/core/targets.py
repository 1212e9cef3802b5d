"""What each label of a tenant is steered to: fixed when the label is first seen, and kept.

A label has a *home*, the class of ImageNet that pretrained networks see in its first pictures; an
*anchor*, the class that its pictures shall look like to them instead; and a *vertex*, the direction
in the robust surrogate's space that stands for it. Anchors are homes of the tenant's other labels
where there are some, so that a network that learns the anchor is wrong about another label; no two
labels share an anchor or a vertex while there are others. Knows no tensors and no tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


NOTHING = -1
"""The home and the anchor of a label where no network looked."""


@dataclass(frozen=True)
class Target:
    """Where a label is steered to."""

    home: int
    """Class of ImageNet that its first pictures look like."""
    anchor: int
    """Class of ImageNet that they shall look like; never one of those that they may be."""
    vertex: int
    """Number of its direction among the surrogate's."""


@dataclass(frozen=True)
class Sighting:
    """What a label's first pictures look like, and what may be chosen for it."""

    home: int
    likely: frozenset[int]
    """Classes that its pictures may be taken for, its home among them."""
    spare: tuple[int, ...]
    """Classes by the tenant's key, for want of another label's home; best first."""
    vertices: tuple[int, ...]
    """All of the surrogate's, those farthest from what the pictures show first."""


class Targets(Protocol):
    """Stores the targets of all labels."""

    def get_or_choose(self, tenant: str, label: str, sighting: Callable[[], Sighting]) -> Target:
        """The label's target; it is chosen, by ``choose``, and stored if there is none.

        Args:
            tenant: whose label.
            label: its digest.
            sighting: asked only when the label is new.
        """


def choose(sighting: Sighting, others: Sequence[Target]) -> Target:
    """A new label's target.

    Args:
        sighting: of its first pictures.
        others: the targets of the tenant's other labels, the latest last.
    """
    anchors = {other.anchor for other in others}
    homes = [other.home for other in reversed(others)]
    wanted = (*homes, *sighting.spare)
    allowed = [one for one in wanted if one not in sighting.likely and one != NOTHING]
    if not sighting.spare:
        allowed = [NOTHING]
    if not allowed:
        raise ValueError("Each class that the label may be steered to is its own content.")
    anchor = next((one for one in allowed if one not in anchors), allowed[0])
    taken = {other.vertex for other in others}
    free = [one for one in sighting.vertices if one not in taken]
    return Target(sighting.home, anchor, (free or sighting.vertices)[0])


class MemoryTargets:
    """Stores them in memory."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, Target]] = {}

    def get_or_choose(self, tenant: str, label: str, sighting: Callable[[], Sighting]) -> Target:
        """The label's target; chosen at the first call."""
        own = self._kept.setdefault(tenant, {})
        if label not in own:
            own[label] = choose(sighting(), list(own.values()))
        return own[label]
