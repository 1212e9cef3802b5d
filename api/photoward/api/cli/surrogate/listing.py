"""``photoward surrogate list``: which surrogates, pretrained networks and sets are installed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from photoward.api.cli.configuration import settings_from

if TYPE_CHECKING:
    from photoward.core.catalogue import SurrogateCard


def list_surrogates() -> None:
    """List the installed surrogates, pretrained networks and sets."""
    from photoward.core.catalogue import read_cards
    from photoward.core.networks import read_networks, read_sets

    settings = settings_from()
    table = Table("name", "input", "labels", "protected accuracy under attack", "SHA-256")
    for card, _ in read_cards(settings.engine_surrogate_dirs).values():
        mark = " (default)" if card.name == settings.engine_surrogate else ""
        converged = card.figures.get("protected_accuracy_under_attack", "")
        table.add_row(
            card.name + mark,
            f"{card.size} px",
            _labels(card),
            str(converged),
            card.sha256[:12],
        )
    Console().print(table)
    known = read_networks(settings.engine_surrogate_dirs)
    pretrained = Table("network", "family", "input", "weights", "licence", "SHA-256")
    for network, _ in known.values():
        pretrained.add_row(
            network.name,
            network.family,
            f"{network.size} px",
            f"{network.parameters / 1e6:.1f} M",
            network.licence,
            network.sha256[:12],
        )
    Console().print(pretrained)
    sets = Table("set", "networks")
    for one in read_sets(known, settings.engine_surrogate_dirs).values():
        mark = " (default)" if one.name == settings.engine_networks else ""
        sets.add_row(one.name + mark, ", ".join(one.networks))
    Console().print(sets)


def _labels(card: SurrogateCard) -> str:
    if card.code:
        return f"any, as {math.prod(card.code)} words"
    return f"{len(card.classes)} classes"
