"""How much an evaluation tries: nothing but plain training, a quick look, or everything."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from photoward.core.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Collection

ALL = ("all",)


@dataclass(frozen=True)
class Effort:
    """What is tried, and how thoroughly."""

    countermeasures: tuple[str, ...] = ("none",)
    architectures: tuple[str, ...] = ("resnet18",)
    plain_architectures: tuple[str, ...] = ()
    shares: tuple[int, ...] = (100,)
    plain_shares: tuple[int, ...] = ()
    seeds: int = 1
    epochs: int = 15
    batch: int = 128
    learning_rate: float = 0.1
    width: int = 16
    pictures: int | None = None
    attack_steps: int = 10
    candidates: int = 5
    pretrained_side: int = 128
    fine_tune_epochs: int = 6
    purifier_epochs: int = 40


PLAIN = Effort()

QUICK = Effort(
    countermeasures=(
        "none", "jpeg-10", "jpeg-75", "grayscale", "gaussian", "cutmix", "ueraser",
        "projection", "coin", "rsk", "pretrained",
    ),
    architectures=("vgg",),
    plain_shares=(80,),
    epochs=18, batch=32, learning_rate=0.03, pictures=600, attack_steps=2,
    candidates=3, pretrained_side=64,
)  # fmt: skip
"""One seed and the cheapest architecture, for ten minutes on two cores. No adversarial training: it
learns nothing of our shapes in that time, not even at 1/255."""

FULL = Effort(
    countermeasures=ALL, architectures=("resnet18", "vgg", "mobilenetv2", "vit"),
    plain_shares=(20, 40, 60, 80), seeds=3, epochs=60, width=64,
)  # fmt: skip
"""For a GPU: the papers' width, every countermeasure with every architecture."""


def chosen(effort: Effort, **options: object) -> Effort:
    """The effort with the options that were given (None: not given) in place of its own.

    Shares and architectures that are named are crossed with all countermeasures; those that an
    effort adds on its own account train plainly.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if "shares" in given:
        given["plain_shares"] = ()
    if "architectures" in given:
        given["plain_architectures"] = ()
    return replace(effort, **given)  # type: ignore[arg-type]  # the command line's own types


def words(text: str | None, option: str, known: Collection[str]) -> tuple[str, ...] | None:
    """A list with commas of known words; ``all`` is all of them.

    Raises:
        BadInput: an unknown word; the sentence lists the known ones.
    """
    if text is None:
        return None
    found = listed(text)
    unknown = [word for word in found if word not in {*known, *ALL}]
    if unknown or not found:
        raise BadInput(
            "invalid_option",
            f"{option} does not know {', '.join(unknown) or 'an empty list'}; there are: "
            f"{', '.join(known)}, and all.",
        )
    return tuple(known) if "all" in found else tuple(dict.fromkeys(found))


def listed(text: str) -> tuple[str, ...]:
    """The words of a list with commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def percentages(text: str | None) -> tuple[int, ...] | None:
    """A list with commas of whole numbers from 1 to 100.

    Raises:
        BadInput: it is something else.
    """
    if text is None:
        return None
    found = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and 1 <= int(word) <= 100 for word in found):  # noqa: PLR2004  # %
        raise BadInput(
            "invalid_option", f"--shares {text}: give whole numbers from 1 to 100, as in 20,60,100."
        )
    return tuple(sorted({int(word) for word in found}))
