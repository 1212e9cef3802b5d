"""What each preset does, as measured: the figures behind the sentences that people read.

``levels.json`` beside this file is made from the results in ``docs/benchmarks`` by ``make tables``;
nobody types a figure.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, computed_field

FILE = Path(__file__).with_name("levels.json")


class Left(BaseModel):
    """How many of new photos a trainer's network names right, in %."""

    model_config = ConfigDict(frozen=True)

    control: float = Field(description="After training on unprotected photos.", examples=[61.6])
    protected: float = Field(
        description="After training on protected ones; the best moment of the training.",
        examples=[24.8],
    )


class Level(BaseModel):
    """What a preset of the default method shows and stops."""

    model_config = ConfigDict(frozen=True)

    preset: str = Field(examples=["standard"])
    visibility: float = Field(
        description="How many times as far as the edge of being seen side by side, the mean over "
        "photos.", examples=[1.0],
    )  # fmt: skip
    probe: Left = Field(
        description="A linear classifier on a pretrained network that the noise was not made "
        "against."
    )
    from_scratch: Left | None = Field(
        default=None, description="A network that starts with fresh weights; none: not measured."
    )
    photos: int = Field(description="On which it was measured.", examples=[1200])

    @computed_field  # type: ignore[prop-decorator]  # pydantic's own way
    @property
    def sentence(self) -> str:
        """All of it in words."""
        fresh = "" if self.from_scratch is None else f" From scratch {_told(self.from_scratch)}."
        return (
            f"{_looks(self.visibility)} A trainer who starts from pretrained weights and learns "
            f"from such photos names {_told(self.probe)}{_verdict(self.probe)}{fresh}"
        )


def _told(left: Left) -> str:
    """Of a hundred new photos."""
    return f"{left.protected:.0f} of 100 new ones right instead of {left.control:.0f}"


def _looks(visibility: float) -> str:
    """In words."""
    for most, words in ((0.8, "Not seen."), (1.3, "Hardly seen."), (2.2, "Seen as fine grain.")):
        if visibility <= most:
            return words
    return "Plainly seen."


def _verdict(left: Left) -> str:
    """Whether that is protection."""
    return ": it does not stop those." if left.protected > 0.8 * left.control else "."


@lru_cache(maxsize=1)
def levels() -> tuple[Level, ...]:
    """All presets that were measured."""
    return tuple(Level.model_validate(one) for one in json.loads(FILE.read_bytes()))
