"""The variants of protection to compare: methods, presets and shapings."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from photoward.api.cli.option_values import parse_names
from photoward.core.catalogue import DEFAULT_PRESET, METHODS, PRESETS, SHAPINGS

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Variant:
    """One way to protect a photo."""

    method: str
    preset: str | None
    """None: the method has none."""
    shaping: str

    @property
    def name(self) -> str:
        """Name in tables and pages."""
        return ", ".join(filter(None, (self.method, self.preset, self.shaping)))


def variants(
    methods: str | None, presets: str | None, shapings: str | None, *, default: str, quick: bool
) -> Sequence[Variant]:
    """Every valid combination.

    Args:
        methods: names with commas, or ``all``; None: the default one.
        presets: the same; None: all, or the default one if ``quick``.
        shapings: the same.
        default: the installation's method.
        quick: whether little time is to be spent.

    Raises:
        BadInput: ``invalid_option``, an unknown name.
    """
    few = (DEFAULT_PRESET, SHAPINGS[0]) if quick else ("all", "all")
    pairs = list(
        product(
            parse_names(presets or few[0], "--preset", PRESETS) or (),
            parse_names(shapings or few[1], "--shaping", SHAPINGS) or (),
        )
    )
    found = []
    for method in parse_names(methods or default, "--method", METHODS) or ():
        own = METHODS[method].presets
        found += [Variant(method, *pair) for pair in pairs if pair[0] in own]
        if not own:
            found.append(Variant(method, None, SHAPINGS[0]))
    return found
