"""Which label a picture has, and what the label is steered to.

A label that nobody gave is guessed by pretrained networks: the group of ImageNet's classes that
they see. A label that is new to its tenant gets its target from its first pictures. Knows networks
and secrets; files, ledgers and methods are others' business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from photoward.core import key_derivation
from photoward.core.networks import groups
from photoward.core.targets import Sighting
from photoward.models import views
from photoward.models.pixels import from_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from photoward.core.networks import Group
    from photoward.models.surrogates.pretrained import PretrainedNetwork
    from photoward.models.surrogates.surrogate import Surrogate

LABELLERS = 2
"""Networks of the set that say what a picture shows: they agree for the most part."""

SIZE = 160
"""Side at which they look, pixels."""

LIKELY = 5
"""Classes that a picture may be taken for: so many of the most probable, with their groups."""


@dataclass(frozen=True)
class PixelSample:
    """What is known of one picture before its noise is made."""

    pixels: NDArray[np.uint8]
    """``[G, G, 3]``."""
    aspect: float
    """Displayed width / height."""


def class_probabilities(
    networks: Sequence[PretrainedNetwork], samples: Sequence[PixelSample]
) -> torch.Tensor:
    """Probabilities ``[N, 1000]`` of ImageNet's classes, the mean of two networks', on the CPU."""
    found = []
    for (
        sample
    ) in samples:  # one by one, so that a picture's answer does not depend on its neighbours
        x = from_bytes(sample.pixels[None], networks[0].device)
        aspect = torch.tensor([sample.aspect], device=x.device)
        view = views.centred(size=min(SIZE, x.shape[-1] - 1), grid=x.shape[-1], aspect=aspect)
        with torch.no_grad():
            shown = view(x)
            each = [functional.softmax(net.logits(shown), 1) for net in networks[:LABELLERS]]
        found.append(torch.stack(each).mean(0))
    return torch.cat(found).cpu()


def likely_group(probabilities: torch.Tensor) -> Group:
    """The group of classes that a picture ``[1000]`` most probably is of."""
    return max(groups(), key=lambda group: float(probabilities[sorted(group.classes)].sum()))


def label_directions(surrogate: Surrogate, secret: bytes) -> torch.Tensor:
    """The directions ``[R + 1, D]`` that the tenant's labels are given, as far apart as can be."""
    span = surrogate.span.cpu()
    corners = torch.from_numpy(key_derivation.simplex(secret, len(span)))
    return functional.normalize(corners @ span, dim=1)


@dataclass(frozen=True)
class Label:
    """Somebody's label."""

    tenant: str
    secret: bytes
    """The tenant's."""
    name: str
    against: str = ""
    """The surrogate and the set of networks: each has directions and classes of its own."""

    @property
    def digest(self) -> str:
        """What stands for it in the ledger."""
        return key_derivation.label_digest(self.secret, f"{self.name}\0{self.against}")


def sighting(
    label: Label,
    samples: Sequence[PixelSample],
    networks: Sequence[PretrainedNetwork] | None,
    surrogate: Surrogate,
) -> Sighting:
    """What a label's first pictures look like, and what may be chosen for it."""
    spare, home, likely = _classes(label, samples, networks)
    return Sighting(home, likely, spare, _order(label.secret, samples, surrogate))


def _classes(
    label: Label, samples: Sequence[PixelSample], networks: Sequence[PretrainedNetwork] | None
) -> tuple[tuple[int, ...], int, frozenset[int]]:
    """Spare anchors, the home, and what the pictures may be taken for."""
    if not networks:
        return (), -1, frozenset()
    mean = class_probabilities(networks, samples).mean(0)
    top = set(mean.topk(LIKELY).indices.tolist())
    near = [group for group in groups() if group.classes & top]
    likely = frozenset().union(*(group.classes for group in near))
    order = key_derivation.permutation(label.secret, label.name, len(groups()))
    return tuple(groups()[i].centre for i in order), int(mean.argmax()), likely


def _order(secret: bytes, samples: Sequence[PixelSample], surrogate: Surrogate) -> tuple[int, ...]:
    """All vertices, those farthest from what the pictures show first."""
    size = surrogate.card.size
    found = []
    for sample in samples:
        x = from_bytes(sample.pixels[None], surrogate.device)
        aspect = torch.tensor([sample.aspect], device=x.device)
        with torch.no_grad():
            shown = views.centred(size=size, grid=x.shape[-1], aspect=aspect)(x)
            found.append(surrogate.directions(shown).cpu())
    cosine = label_directions(surrogate, secret) @ torch.cat(found).mean(0)
    order: list[int] = cosine.argsort().tolist()
    return tuple(order)
