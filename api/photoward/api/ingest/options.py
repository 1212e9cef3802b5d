"""The options of one upload, gathered from the query and from form fields as they come in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anyio import to_thread

from photoward.api.http.errors import validated
from photoward.api.http.schemas.images import RequestedImage
from photoward.core.catalogue import METHODS
from photoward.core.errors import BadInput
from photoward.core.jobs import well_formed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from photoward.core.catalogue import Catalogue
    from photoward.core.jobs import Options


def merged(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """A batch's options under an item's own; either way of saying the strength replaces both."""
    strength = {"preset", "epsilon"}
    if strength & own.keys():
        defaults = {name: value for name, value in defaults.items() if name not in strength}
    return {**defaults, **own}


class Asked:
    """Refuses an option when it is seen, and what does not go together at the end.

    Args:
        catalogue: says what there is.
        query: what is asked for there.
        options_of: a batch's options, by its id; blocks, and raises NotFound.
    """

    batch: str | None = None
    """Where the photo belongs."""

    def __init__(
        self, catalogue: Catalogue, query: RequestedImage,
        options_of: Callable[[str], Mapping[str, Any]],
    ) -> None:  # fmt: skip
        self._catalogue = catalogue
        self._options_of = options_of
        self._defaults: Mapping[str, Any] | None = None
        self._values: dict[str, Any] = {}
        self.include(query)

    def include(self, requested: RequestedImage) -> None:
        """Take all options that are in the query or in a body. Raises BadInput as ``add`` does."""
        for name in RequestedImage.model_fields:
            if name in requested.model_fields_set:
                self._take(name, getattr(requested, name))

    def add(self, name: str, text: str) -> None:
        """Take a form field.

        Raises:
            BadInput: there is no such option, it came before, or its value is not possible.
        """
        self._take(name, getattr(validated(RequestedImage, {name: text}), name))

    async def find_batch(self) -> None:
        """Take the options of the batch for what is not said. Raises NotFound: there is none."""
        if self.batch is not None and self._defaults is None:
            batch = well_formed(self.batch)
            self._defaults = await to_thread.run_sync(self._options_of, batch)

    def complete(self) -> Options:
        """Everything asked for, with defaults filled in.

        Raises:
            BadInput: options that do not go together.
        """
        return self._catalogue.options(**merged(self._defaults or {}, self._values))

    def _take(self, name: str, value: object) -> None:
        if name in self._values or (name == "batch" and self.batch is not None):
            raise BadInput("invalid_option", f"{name} is given twice.", field=name)
        if name == "batch":
            self.batch = None if value is None else str(value)
            return
        self._values[name] = value
        # Alone first: what is wrong whatever else may follow is refused before a photo is read.
        alone: dict[str, Any] = {name: value}
        if name == "target":  # not every method has each
            having = [method for method in METHODS.values() if value in method.targets]
            having.sort(key=lambda method: method.networks)  # those first that need no more
            alone["method"] = having[0].name if having else None
        self._catalogue.options(**alone)
