"""The methods, one row each; ``core.catalogue.METHODS`` tells the same names to people."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from photoward.models.methods.descent import Descent
from photoward.models.methods.filtered import FilteredDescent
from photoward.models.methods.label_filter import LEAST, WIDE, LabelFilter
from photoward.models.methods.objectives import LabelTerm, attacked, undisturbed, whole_view
from photoward.models.methods.spec import PAPER, MethodSpec, Schedule

if TYPE_CHECKING:
    from photoward.models.methods.base import Method
    from photoward.models.surrogates.pretrained import NetworkSet
    from photoward.models.surrogates.surrogate import Surrogate

_LONG = Schedule(steps=24, momentum=0.9, step_size=2.0)
"""Of descents against pretrained networks, which are asked some at a time."""

_ROWS = (
    MethodSpec("anchor", "anchor-2", anchor=True, proportional=True, schedule=_LONG, chunk=1),
    MethodSpec("sem+anchor", "sem-3+anchor-1", LabelTerm(), anchor=True, schedule=_LONG, chunk=1),
    MethodSpec("sem", "sem-3", LabelTerm(), hosted_steps=20),
    MethodSpec("cuda", "cuda-2", filter_side=LEAST),
    MethodSpec("sem+cuda", "cuda-2-wide+sem-3", LabelTerm(), filter_side=WIDE, hosted_steps=20),
    MethodSpec(
        "em",
        "em-1",
        LabelTerm(whole_view, undisturbed),
        schedule=replace(PAPER, steps=20, samples=1, step_size=0.8),  # steps of ε/10
    ),
    # Five samples a step against an adversary would be 550 passes a picture.
    MethodSpec("rem", "rem-1", LabelTerm(disturbance=attacked), schedule=replace(PAPER, samples=2)),
)

METHODS: dict[str, MethodSpec] = {row.name: row for row in _ROWS}


def make(
    name: str,
    surrogate: Surrogate,
    preset: str | None = None,
    networks: NetworkSet | None = None,
) -> Method:
    """The method of this name, with the schedule of the preset.

    Raises:
        KeyError: no such method.
        ValueError: it needs pretrained networks and is given none.
    """
    return build(METHODS[name].for_preset(preset), surrogate, networks)


def build(spec: MethodSpec, surrogate: Surrogate, networks: NetworkSet | None = None) -> Method:
    """The method that a spec describes; raises ValueError likewise."""
    if not spec.filter_side:
        return Descent(spec, surrogate, networks)
    if spec.steered:
        return FilteredDescent(spec, surrogate, networks)
    return LabelFilter(spec, surrogate, networks)
