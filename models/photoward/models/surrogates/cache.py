"""Keeps surrogates loaded: by name, digest-checked, least recently used out first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

import torch

from photoward.core import telemetry
from photoward.core.errors import Unavailable
from photoward.models.surrogates.surrogate import DigestMismatch, Surrogate, load_surrogate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from photoward.core.catalogue import SurrogateCard


def pick_device(wanted: str) -> torch.device:
    """``auto`` means CUDA when present; anything else is a torch device string.

    Raises:
        Unavailable: CUDA was asked for and is not there.
    """
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(wanted)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise Unavailable(f"The device {wanted} was asked for, but there is no CUDA here.")
    return device


class SurrogateCache:
    """Loaded surrogates within a memory budget.

    Args:
        cards: name → card and weights file, as ``core.catalogue.read_cards`` gives them.
        device: where surrogates are loaded to.
        memory_mib: budget for weights; the surrogate in use always stays.
    """

    def __init__(
        self,
        cards: Mapping[str, tuple[SurrogateCard, Path]],
        device: torch.device,
        memory_mib: int,
    ) -> None:
        self.cards = dict(cards)
        self.device = device
        self._budget = memory_mib * 2**20
        self._loaded: OrderedDict[str, Surrogate] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: str) -> Surrogate:
        """The surrogate, loaded if it was not.

        Raises:
            Unavailable: no such surrogate here, or its file is missing or not the card's.
        """
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = self._load(name)
                telemetry.SURROGATE_LOADS.inc()
            self._loaded.move_to_end(name)
            while len(self._loaded) > 1 and self._bytes() > self._budget:
                self._loaded.popitem(last=False)
                telemetry.SURROGATE_EVICTIONS.inc()
            return self._loaded[name]

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
