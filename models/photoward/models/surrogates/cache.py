"""Keeps networks loaded: by name, digest-checked, least recently used out first.

Robust surrogates of our own, and pretrained networks, which are asked for in sets; one memory
budget for both.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, cast

import torch

from photoward.core import telemetry
from photoward.core.catalogue import read_cards
from photoward.core.errors import Unavailable
from photoward.core.networks import read_networks, read_sets
from photoward.models.surrogates.pretrained import NetworkSet, PretrainedNetwork, load_pretrained
from photoward.models.surrogates.surrogate import DigestMismatch, Surrogate, load_surrogate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from photoward.core.catalogue import SurrogateCard
    from photoward.core.networks import NetworkCard, SetCard
    from photoward.core.settings import Settings


def pick_device(wanted: str) -> torch.device:
    """``auto`` means CUDA when present; anything else is a torch device string.

    Raises:
        Unavailable: CUDA was asked for and is not there.
    """
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(wanted)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise Unavailable(f"The device {wanted} is set, but this machine has no CUDA device.")
    return device


class SurrogateCache:
    """Loaded networks within a memory budget.

    Args:
        cards: name → card and weights file, as ``core.catalogue.read_cards`` gives them.
        device: where networks are loaded to.
        memory_mib: budget for weights; what is in use always stays.
        networks: name → card and weights file of pretrained ones, as ``core.networks`` gives them.
        sets: name → which of them.
    """

    def __init__(
        self,
        cards: Mapping[str, tuple[SurrogateCard, Path]],
        device: torch.device,
        memory_mib: int,
        networks: Mapping[str, tuple[NetworkCard, Path]] | None = None,
        sets: Mapping[str, SetCard] | None = None,
    ) -> None:
        self.cards = dict(cards)
        self.device = device
        self._networks, self._sets = dict(networks or {}), dict(sets or {})
        self._budget = memory_mib * 2**20
        self._loaded: OrderedDict[str, Surrogate | PretrainedNetwork] = OrderedDict()
        self._lock = threading.Lock()

    @classmethod
    def of(cls, settings: Settings) -> SurrogateCache:
        """All that an installation has.

        Raises:
            Unavailable: the device that was asked for is not there.
            ValueError: a card does not fit its schema, or a set lacks a member.
        """
        folders = settings.engine_surrogate_dirs
        networks = read_networks(folders)
        return cls(
            read_cards(folders),
            pick_device(settings.engine_device),
            settings.engine_cache_bytes >> 20,
            networks,
            read_sets(networks, folders),
        )

    def get(self, name: str) -> Surrogate:
        """The surrogate, loaded if it was not.

        Raises:
            Unavailable: no such surrogate here, or its file is missing or not the card's.
        """
        with self._lock:
            found = self._get(name, self._load)
            self._evict(1)
            return cast("Surrogate", found)

    def networks(self, name: str) -> NetworkSet:
        """The pretrained networks of a set, loaded if they were not.

        Raises:
            Unavailable: no such set here, or a member's file is missing or not the card's.
        """
        if name not in self._sets:
            raise Unavailable(f"This worker has no set of networks {name!r}.")
        card = self._sets[name]
        with self._lock:
            found = [self._get(one, self._load_network) for one in card.networks]
            self._evict(len(found))
            return NetworkSet(card, (cast("PretrainedNetwork", one) for one in found))

    def _get(
        self, name: str, load: Callable[[str], Surrogate | PretrainedNetwork]
    ) -> Surrogate | PretrainedNetwork:
        if name not in self._loaded:
            self._loaded[name] = load(name)
            telemetry.SURROGATE_LOADS.inc()
        self._loaded.move_to_end(name)
        return self._loaded[name]

    def _evict(self, in_use: int) -> None:
        while len(self._loaded) > in_use and self._bytes() > self._budget:
            self._loaded.popitem(last=False)
            telemetry.SURROGATE_EVICTIONS.inc()

    def loaded(self) -> list[str]:
        """Names of what is loaded, least recently used first."""
        with self._lock:
            return list(self._loaded)

    def _bytes(self) -> int:
        return sum(surrogate.memory_bytes for surrogate in self._loaded.values())

    def _load(self, name: str) -> Surrogate:
        if name not in self.cards:
            raise Unavailable(f"This worker has no surrogate {name!r}.")
        card, weights = self.cards[name]
        try:
            return load_surrogate(card, weights, self.device)
        except (OSError, DigestMismatch) as error:
            raise Unavailable(f"The surrogate {name!r} cannot be loaded: {error}.") from error

    def _load_network(self, name: str) -> PretrainedNetwork:
        card, weights = self._networks[name]
        try:
            return load_pretrained(card, weights, self.device)
        except (OSError, DigestMismatch, ValueError) as error:
            raise Unavailable(f"The network {name!r} cannot be loaded: {error}.") from error
