"""Pretrained networks and sets of them: what a process without tensors knows of them.

A *network* is one that the world shares: trained on ImageNet's thousand classes by its authors.
A *set* names those that a method works against together. Each has a card, JSON beside the weights.
"""

from __future__ import annotations

import importlib.resources
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SHIPPED = "photoward.models.surrogates.networks"
"""Package whose folder holds the shipped networks and sets (data: nothing of it is run)."""

NETWORK, SET = ".network.json", ".set.json"
"""Endings of the two kinds of card."""

CLASSES = "imagenet-groups.json"
"""ImageNet's thousand classes in groups of what networks take for each other."""

Card = TypeVar("Card", bound=BaseModel)


class NetworkCard(BaseModel):
    """One pretrained network; everything that a user of the weights must know."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    builder: str = Field(pattern=r"^(timm|torchvision):[A-Za-z0-9_.]+$")
    """Where its architecture comes from: ``timm:NAME`` or ``torchvision:NAME``."""
    family: str
    """Networks of one family err alike; a held-out network should be of another."""
    size: int = Field(ge=32, le=1024)
    """Side of the input that it was trained for, pixels."""
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    """Normalisation of RGB in [0, 1]: ``(x − mean) / std``."""
    classes: int = Field(ge=0)
    """Of its head; 0: it has none, so that trainers may start from it and no method works against
    it."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Digest of the safetensors file; checked at every load."""
    parameters: int
    source: str
    """Where the weights come from."""
    trained_on: str = ""
    """The data set; empty: not known."""
    licence: str
    figures: dict[str, Any] = {}


class SetCard(BaseModel):
    """Pretrained networks that a method works against together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    networks: list[str] = Field(min_length=1)
    per_step: int = Field(default=2, ge=1)
    """How many of them one step asks, in turn."""
    label_weight: float = Field(default=0.3, ge=0)
    """Weight of the robust surrogate's gradient beside theirs (1 in all), where a method asks both:
    it reaches its aim sooner. Even ε = 8, ten photos: with 1 the cosine is 0.62 and a held-out
    network's mean log-probability of the anchor −12.1, with 0.3 0.50 and −9.9, with the set alone
    0.02 and −8.6; of the unprotected photos −18.9."""


@dataclass(frozen=True)
class Group:
    """Classes of ImageNet that networks take for each other."""

    name: str
    """Of the class in its middle."""
    centre: int
    """That class."""
    classes: frozenset[int]


@lru_cache(maxsize=1)
def groups() -> tuple[Group, ...]:
    """All groups; each class is in one of them."""
    found = json.loads((shipped_dir() / CLASSES).read_bytes())
    return tuple(Group(one["name"], one["centre"], frozenset(one["classes"])) for one in found)


def shipped_dir() -> Path:
    """Folder of the networks inside the installed distribution."""
    return Path(str(importlib.resources.files(SHIPPED)))


def read_networks(folders: Iterable[Path] = ()) -> dict[str, tuple[NetworkCard, Path]]:
    """All networks in the shipped folder and the given ones: name → card, weights file.

    A later folder's network replaces an earlier one of the same name.

    Raises:
        ValueError: a card does not fit the schema; the message names the file.
    """
    return {
        card.name: (card, path.with_name(path.name.removesuffix(NETWORK) + ".safetensors"))
        for card, path in _read(folders, NETWORK, NetworkCard)
    }


def read_sets(
    networks: Mapping[str, tuple[NetworkCard, Path]], folders: Iterable[Path] = ()
) -> dict[str, SetCard]:  # fmt: skip
    """All sets, likewise: name → card.

    Raises:
        ValueError: a card does not fit, or a set names a network that is not there or that has no
            classes to work against.
    """
    found = {card.name: card for card, _ in _read(folders, SET, SetCard)}
    for card in found.values():
        missing = [name for name in card.networks if name not in networks]
        if missing:
            message = (
                f"The set {card.name} names {', '.join(missing)}, which is not installed: import "
                "it with `photoward surrogate import`, or take it out of the set."
            )
            raise ValueError(message)
        headless = [name for name in card.networks if not networks[name][0].classes]
        if headless:
            message = (
                f"The set {card.name} names {', '.join(headless)}, which has no classes that a "
                "method could work against: take it out of the set."
            )
            raise ValueError(message)
        if card.per_step > len(card.networks):
            message = f"The set {card.name} asks {card.per_step} a step and has fewer."
            raise ValueError(message)
    return found


def _read(
    folders: Iterable[Path], ending: str, schema: type[Card]
) -> Iterable[tuple[Card, Path]]:  # fmt: skip
    for folder in (shipped_dir(), *folders):
        for path in sorted(folder.glob(f"*{ending}")):
            try:
                yield schema.model_validate_json(path.read_bytes()), path
            except ValidationError as error:
                message = f"{path} is not the card that its name says: {error}"
                raise ValueError(message) from error
