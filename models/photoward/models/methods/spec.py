"""A method as a row: what it is composed of, and with which schedule.

A method consists of a label's filter, a descent, or both. A descent has four parts: *views* and
*objectives* (``objectives``), a *step rule* (``descent``, with the figures of ``Schedule``) and a
*budget* (``perceptual_budget``).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from photoward.core.catalogue import HOSTED

if TYPE_CHECKING:
    from photoward.models.methods.objectives import LabelTerm

HOSTED_JPEG_SHARE = 0.5
"""Of the samples, for files that a host will save as JPEG again."""


@dataclass(frozen=True)
class Schedule:
    """The cost and strength of the noise steps; radii in 1/255 at ε = 8 (they scale with ε)."""

    steps: int = 10
    """K (table 1 of SEM's paper: 10)."""
    samples: int = 1
    """J, views a step of each objective (the paper: 5)."""
    step_size: float = 4.0
    """α of the first step, at ε = 8 (the paper: 1.6)."""
    falling: float = 1.0
    """Share of α that is lost, evenly, in the course of the steps (the paper: 0)."""
    momentum: float = 0.5
    """Share of the previous direction that the next one keeps (the paper: 0)."""
    radius: float = 4.0
    """ρa of the jitter η, at ε = 8."""
    jpeg_share: float = 0.0
    """Share of the samples that are saved as JPEG before they are viewed."""


PAPER = Schedule(samples=5, step_size=1.6, falling=0.0, momentum=0.0)
"""SEM's as published, for comparisons."""


@dataclass(frozen=True)
class MethodSpec:
    """One row of the registry."""

    name: str
    version: str
    """Part of every image seed: a change of the noise changes this too."""
    label: LabelTerm | None = None
    """How the robust surrogate is asked for the label's target; None: it is not."""
    anchor: bool = False
    """Whether a set of pretrained networks is asked for the label's anchor."""
    proportional: bool = False
    """Whether steps follow the gradient where a picture's root mean square limits the noise, and
    its sign where each pixel's limit does; False: its sign everywhere."""
    filter_side: int = 0
    """Least side k of the label's filter; 0: none. With it ε does not bound the whole change."""
    schedule: Schedule = field(default_factory=Schedule)
    hosted_steps: int | None = None
    """K of the preset ``hosted``; None: as many as ever."""
    chunk: int | None = None
    """Pictures in one pass on a CPU; None: as many as the surrogate is fastest with."""

    @property
    def bounded(self) -> bool:
        """Whether ε bounds the change of every sample."""
        return not self.filter_side

    @property
    def steered(self) -> bool:
        """Whether it moves pictures towards a target of their label."""
        return self.label is not None or self.anchor

    def for_preset(self, preset: str | None) -> MethodSpec:
        """The same with the preset's schedule."""
        if preset != HOSTED:
            return self
        steps = self.hosted_steps or self.schedule.steps
        hosted = replace(self.schedule, steps=steps, jpeg_share=HOSTED_JPEG_SHARE)
        return replace(self, schedule=hosted)
