"""Headers of a protected file: which image it is of, how it was made, and what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from photoward.api.delivery.files import ProtectedFile
    from photoward.core.jobs import Item

_OPTIONS = ("method", "preset", "epsilon", "surrogate", "networks")
_MEASURED = ("visibility", "psnr_db", "ssim", "survival")


def _header(name: str) -> str:
    return f"Photoward-{name.title().replace('_', '-')}"


FIGURE_HEADERS = (
    "Photoward-Image",
    "Photoward-Already-Protected",
    *map(_header, (*_OPTIONS, *_MEASURED)),
)
"""All of their names, for browsers to be let read them."""


def figure_headers(item: Item, file: ProtectedFile) -> dict[str, str]:
    """The headers of a file; what does not apply or was not measured is left out."""
    if item.source.protected:
        return {"Photoward-Image": item.id, "Photoward-Already-Protected": "true"}
    chosen = {name: getattr(item.options, name) for name in _OPTIONS}
    measured = {name: file.measured.get(name) for name in _MEASURED}
    known = {name: value for name, value in {**chosen, **measured}.items() if value is not None}
    return {
        "Photoward-Image": item.id,
        **{_header(name): _text(value) for name, value in known.items()},
    }


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:g}"
