"""The options of one upload, gathered from the query and from form fields as they come in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from photoward.api.http.errors import validated
from photoward.api.http.schemas import Requested
from photoward.core.catalogue import METHODS
from photoward.core.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from photoward.core.catalogue import Catalogue
    from photoward.core.jobs import Options


def merged(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """A batch's options under an item's own; either way of saying the strength replaces both."""
    strength = {"preset", "epsilon"}
    if strength & own.keys():
        defaults = {name: value for name, value in defaults.items() if name not in strength}
    return {**defaults, **own}


class Asked:
    """Refuses an option when it is seen, and what does not go together at the end."""

    def __init__(
        self, catalogue: Catalogue, query: Requested, defaults: Mapping[str, Any] | None = None
    ) -> None:
        self._catalogue = catalogue
        self._defaults = dict(defaults or {})
        self._values: dict[str, Any] = {}
        self.include(query)

    def include(self, requested: Requested) -> None:
        """Take all options that are in the query or in a body. Raises BadInput as ``add`` does."""
        for name in Requested.model_fields:
            if name in requested.model_fields_set:
                self._take(name, getattr(requested, name))

    def add(self, name: str, text: str) -> None:
        """Take a form field.

        Raises:
            BadInput: there is no such option, it came before, or its value is not possible.
        """
        self._take(name, getattr(validated(Requested, {name: text}), name))

    def complete(self) -> Options:
        """Everything asked for, with defaults filled in.

        Raises:
            BadInput: options that do not go together.
        """
        return self._catalogue.options(**merged(self._defaults, self._values))

    def _take(self, name: str, value: object) -> None:
        if name in self._values:
            raise BadInput("invalid_option", f"{name} is given twice.", field=name)
        self._values[name] = value
        # Alone first: what is wrong whatever else may follow is refused before a photo is read.
        alone: dict[str, Any] = {name: value}
        if name == "target":  # not every method has each
            alone["method"] = next((m.name for m in METHODS.values() if value in m.targets), None)
        self._catalogue.options(**alone)
