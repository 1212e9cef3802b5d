"""Which networks made a protection: no result may be measured with one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from photoward.api.cli.configuration import settings_from
from photoward.api.cli.option_values import split_list
from photoward.core.catalogue import METHODS, read_cards
from photoward.core.errors import BadInput
from photoward.core.networks import read_sets
from photoward.models.evaluation.metrics.learned_share import method_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from photoward.models.evaluation.pretrained_networks import Networks

NO_NETWORK = "none"
"""Stands for the networks of a method without any."""


def parse_surrogates(
    given: Sequence[str], protections: Collection[str], networks: Networks
) -> dict[str, list[str]]:
    """The values of ``--surrogates``: name → networks, sets replaced by their members.

    Raises:
        BadInput: a name that is no protection's, or a network that is not there.
    """
    names = set(protections) | {method_of(name) for name in protections}
    sets = read_sets(networks.known, settings_from().engine_surrogate_dirs)
    known = {NO_NETWORK, *networks.known, *read_cards(settings_from().engine_surrogate_dirs)}
    found: dict[str, list[str]] = {}
    for one in given:
        name, equals, words = one.partition("=")
        if not equals or name not in names:
            raise BadInput(
                "invalid_option",
                f"--surrogates {one}: write NAME=NETWORK,NETWORK with a name of --protected: "
                f"{', '.join(sorted(names))}.",
            )
        parts = [sets[word].networks if word in sets else [word] for word in split_list(words)]
        made = [network for part in parts for network in part]
        unknown = [network for network in made if network not in known]
        if unknown:
            raise BadInput(
                "invalid_option",
                f"--surrogates {one} does not know {', '.join(unknown)}; there are: "
                f"{', '.join(sorted(known))}; and the sets {', '.join(sets)}.",
            )
        found[name] = [network for network in made if network != NO_NETWORK]
    return found


def default_surrogates(method: str, networks: Networks) -> list[str]:
    """The networks that a method uses unless options name others."""
    settings = settings_from()
    sets = read_sets(networks.known, settings.engine_surrogate_dirs)
    used = sets[settings.engine_networks].networks if METHODS[method].networks else []
    return [settings.engine_surrogate, *used]
