"""What each preset shows and leaves to a trainer, as measured.

``levels.json`` beside this file is generated from ``docs/benchmarks`` by ``make tables``.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, computed_field

FILE = Path(__file__).with_name("levels.json")


class Left(BaseModel):
    """Accuracy of a trainer's network on new photos, in %."""

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
        description="Change relative to the threshold at which it is seen beside the original; "
        "the mean over photos.",
        examples=[1.0],
    )
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
        """The figures in words."""
        fresh = ""
        if self.from_scratch is not None:
            fresh = f" One who starts from scratch classifies {_figures(self.from_scratch)}."
        return (
            f"{_seen(self.visibility)} A trainer who starts from pretrained weights and learns "
            f"from such photos classifies {_figures(self.probe)}{_verdict(self.probe)}{fresh}"
        )


def _figures(left: Left) -> str:
    """Of a hundred new photos."""
    return f"{left.protected:.0f} of 100 new photos correctly instead of {left.control:.0f}"


def _seen(visibility: float) -> str:
    """In words."""
    for most, words in (
        (0.8, "Not visible."),
        (1.3, "Hardly visible."),
        (2.2, "Visible as fine grain."),
    ):
        if visibility <= most:
            return words
    return "Plainly visible."


def _verdict(left: Left) -> str:
    """Whether that is protection."""
    return ": it does not stop such a trainer." if left.protected > 0.8 * left.control else "."


@lru_cache(maxsize=1)
def levels() -> tuple[Level, ...]:
    """All presets that were measured."""
    return tuple(Level.model_validate(one) for one in json.loads(FILE.read_bytes()))
