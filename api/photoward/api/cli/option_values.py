"""Values of options that are lists: names or percentages, separated by commas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from photoward.core.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Collection

ALL = "all"


def parse_names(text: str | None, option: str, known: Collection[str]) -> tuple[str, ...] | None:
    """A list with commas of known words; ``all`` is all of them.

    Raises:
        BadInput: an unknown word; the sentence lists the known ones.
    """
    if text is None:
        return None
    found = split_list(text)
    unknown = [word for word in found if word not in {*known, ALL}]
    if unknown or not found:
        raise BadInput(
            "invalid_option",
            f"{option} does not know {', '.join(unknown) or 'an empty list'}; there are: "
            f"{', '.join(known)}, and all.",
        )
    return tuple(known) if ALL in found else tuple(dict.fromkeys(found))


def split_list(text: str) -> tuple[str, ...]:
    """The words of a list with commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def parse_percentages(text: str | None) -> tuple[int, ...] | None:
    """A list with commas of whole numbers from 1 to 100.

    Raises:
        BadInput: it is something else.
    """
    if text is None:
        return None
    found = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and 1 <= int(word) <= 100 for word in found):  # noqa: PLR2004  # 100 percent
        raise BadInput(
            "invalid_option", f"--shares {text}: give whole numbers from 1 to 100, as in 20,60,100."
        )
    return tuple(sorted({int(word) for word in found}))
