"""The options of one photo: what may be chosen, and how request, form and batch are combined."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from anyio import to_thread
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from photoward.api.ingest.details import (
    CallbackUrl,
    ExpiresIn,
    Metadata,
    MetadataText,
    Reference,
    parse_metadata,
    retention,
)
from photoward.api.ingest.validation import validated
from photoward.core.catalogue import (
    ALREADY_PROTECTED,
    DEFAULT_PRESET,
    EXIF_GROUPS,
    FORMATS,
    LEAST_QUALITY,
    LEAST_SIDE,
    MAX_EPSILON,
    MAX_LABEL,
    METHODS,
    MOST_RENDITIONS,
    PASS,
    PRESETS,
    REFUSE,
    SAME,
    SHAPINGS,
)
from photoward.core.errors import BadInput, Denied
from photoward.core.jobs import BatchDefaults, Callback, Details, validate_id
from photoward.core.rights import CHOICES, DEFAULT

if TYPE_CHECKING:
    from photoward.core.catalogue import Catalogue
    from photoward.core.jobs import Options

EXAMPLE_ID = "3f2a9c0d5b7e41868d0c6a1f2e9b4d77"


def one_of(values: Iterable[str]) -> Callable[[dict[str, Any]], None]:
    """For the schema of a field that may be one of these, or null."""
    names = list(values)

    def add(schema: dict[str, Any]) -> None:
        schema["anyOf"][0]["enum"] = names

    return add


TARGETS = tuple(dict.fromkeys(target for one in METHODS.values() for target in one.targets))


def _as_json(value: object) -> object:
    """JSON bodies may have numbers and arrays where forms have text."""
    return json.dumps(value) if isinstance(value, int | list) else value


class ImageOptions(BaseModel):
    """What may be chosen for a photo: by form fields, query parameters or a manifest's line."""

    model_config = ConfigDict(extra="forbid")

    label: Annotated[
        str | None,
        Field(
            description=f"What the photo shows, in 1 to {MAX_LABEL} printable characters. "
            "Default: what pretrained networks see in it.",
            examples=["tabby cat"],
        ),
    ] = None
    method: Annotated[
        str | None,
        Field(
            json_schema_extra=one_of(METHODS),
            description="See `GET /v1/methods`.",
            examples=["sem"],
        ),
    ] = None
    target: Annotated[
        str | None,
        Field(
            json_schema_extra=one_of(TARGETS),
            description="What the noise encodes: a secret derived from the label, or a class. "
            "`GET /v1/methods` lists each method's.",
            examples=["prototype"],
        ),
    ] = None
    surrogate: Annotated[str | None, Field(description="See `GET /v1/surrogates`.")] = None
    networks: Annotated[
        str | None,
        Field(
            description="The set of pretrained networks, see `GET /v1/surrogates`; for methods "
            "that ask one.",
            examples=["imagenet"],
        ),
    ] = None
    preset: Annotated[
        str | None,
        Field(
            json_schema_extra=one_of(PRESETS),
            description=f"{', '.join(PRESETS)}; {DEFAULT_PRESET} by default. "
            "`GET /v1/methods` lists each method's.",
            examples=[DEFAULT_PRESET],
        ),
    ] = None
    epsilon: Annotated[
        float | None,
        Field(
            description=f"Instead of a preset: largest change in 1/255, 1 to {MAX_EPSILON:g}, of "
            "methods that are `bounded`; for `sem+cuda` that of its second half.",
            examples=[8],
        ),
    ] = None
    output_format: Annotated[
        str | None,
        Field(
            json_schema_extra=one_of(FORMATS),
            description=f"{', '.join(FORMATS)}; by default the format of the input.",
            examples=["png"],
        ),
    ] = None
    sizes: Annotated[
        str | None,
        Field(
            description="Short for `renditions` without crops: longer sides in pixels, at least "
            f"{LEAST_SIDE}, up to {MOST_RENDITIONS} of them with commas.",
            examples=["2048,1080,320"],
        ),
    ] = None
    renditions: Annotated[
        str | None,
        BeforeValidator(_as_json),
        Field(
            description=f"Up to {MOST_RENDITIONS} files, as a JSON array of objects with `name` "
            "and, as needed, `width`, `height`, `fit` (contain, cover, fill), `gravity` (center, "
            "north, northeast, …), `format` and `quality`. Each is made of the photo and then "
            "protected; a photo is never enlarged.",
            examples=['[{"name": "thumb", "width": 150, "height": 150, "fit": "cover"}]'],
        ),
    ] = None
    quality: Annotated[
        str | None,
        BeforeValidator(_as_json),
        Field(
            description=f"Of lossy files, {LEAST_QUALITY} to 100; or `{SAME}`: a JPEG's own. Less "
            "of the noise survives in smaller files: `measured.survival` tells. Default: 95 to 97, "
            "where nearly all does.",
            examples=["82"],
        ),
    ] = None
    shaping: Annotated[
        str | None,
        Field(
            json_schema_extra=one_of(SHAPINGS),
            description="perceptual: within what the eye overlooks, less where a picture is flat "
            "and none of slow changes; even: all of epsilon everywhere. "
            f"Default: {SHAPINGS[0]}.",
            examples=["perceptual"],
        ),
    ] = None
    keep_exif: Annotated[
        str | None,
        Field(
            description="What of EXIF to keep beside copyright and artist: "
            f"{', '.join(EXIF_GROUPS)}, several with commas. Default: nothing.",
            examples=["date,camera"],
        ),
    ] = None
    data_mining: Annotated[
        str | None,
        Field(
            json_schema_extra=one_of(CHOICES),
            description=f"What the file's XMP says about being trained on: {', '.join(CHOICES)}; "
            f"default: {DEFAULT}. A stricter statement in the original stays.",
            examples=[DEFAULT],
        ),
    ] = None

    creator: Annotated[
        str | None,
        Field(
            description="The creator, if the file has none.",
            examples=["Jane Doe"],
        ),
    ] = None
    credit: Annotated[
        str | None,
        Field(
            description="The credit line, if the file has none.",
            examples=["Jane Doe / Example Pictures"],
        ),
    ] = None
    rights: Annotated[
        str | None,
        Field(
            description="The copyright notice, if the file has none.",
            examples=["© 2026 Jane Doe"],
        ),
    ] = None
    licence_url: Annotated[
        str | None,
        Field(
            description="URL of the licence, if the file has none.",
            examples=["https://example.org/licence"],
        ),
    ] = None

    already_protected: Annotated[
        str | None,
        Field(
            description="What becomes of a file that this program has protected before: "
            f"{', '.join(ALREADY_PROTECTED)}: {REFUSE} it with the problem `already_protected`, or "
            f"leave it as it is. Default: {REFUSE}.",
            examples=[PASS],
        ),
    ] = None


class ManifestEntry(ImageOptions):
    """A manifest's line about one photo, without what names the photo."""

    reference: Reference = None
    metadata: Metadata | None = None
    expires_in_seconds: ExpiresIn = None


class _ImageInBatch(ImageOptions):
    reference: Reference = None
    callback_url: CallbackUrl = None
    expires_in_seconds: ExpiresIn = None
    batch: Annotated[
        str | None,
        Field(
            description="The id of its batch, which gives defaults of the options.",
            examples=[EXAMPLE_ID],
        ),
    ] = None


class ImageRequest(_ImageInBatch):
    """What a query or a form says of a photo."""

    metadata: MetadataText = None


class ImageBody(_ImageInBatch):
    """What a JSON body says of a photo."""

    metadata: Metadata | None = None


REQUEST_FIELDS = ("batch", "reference", "metadata", "callback_url", "expires_in_seconds")
"""What a request says of a photo beside its options."""
KEY_FIELDS = ("batch", "callback_url")
"""What of it only an API key permits."""


@dataclass(frozen=True)
class Terms:
    """What decides which details a request may have."""

    callback: Callable[[str], Callback]
    """Checks a callback's URL; raises BadInput."""
    token_id: str | None = None
    """The upload token that it has; None: it has a key, or needs none."""
    retention_s: int | None = None
    """The installation's; None: it keeps everything."""


def merge_options(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """A batch's options overridden by a photo's own; one of a pair replaces both."""
    for pair in ({"preset", "epsilon"}, {"sizes", "renditions"}):
        if pair & own.keys():
            defaults = {name: value for name, value in defaults.items() if name not in pair}
    return {**defaults, **own}


class OptionsBuilder:
    """Collects a photo's options while its request is read.

    An impossible value is refused when it is added, an impossible combination by ``build``.

    Args:
        catalogue: says what there is.
        query: the options in the request's query.
        batch_defaults: by a batch's id; blocks, and raises NotFound or Conflict.
        terms: of the request's details.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        query: ImageRequest,
        batch_defaults: Callable[[str], BatchDefaults],
        terms: Terms,
    ) -> None:
        self._terms = terms
        self._catalogue = catalogue
        self._batch_defaults = batch_defaults
        self._defaults: BatchDefaults | None = None
        self._values: dict[str, Any] = {}
        self._said: dict[str, Any] = {}
        self.include(query)

    @property
    def batch(self) -> str | None:
        """Id of the batch that the photo belongs to."""
        found: str | None = self._said.get("batch")
        return found

    @property
    def details(self) -> Details:
        """What the client says of the photo beside its options."""
        said = self._said
        return Details(
            reference=said.get("reference"),
            metadata=said.get("metadata") or {},
            callback=said.get("callback_url"),
            token_id=self._terms.token_id,
            retention_s=self._retention_s(),
        )

    def include(self, request: ImageRequest | ImageBody) -> None:
        """Add all options of a query or of a JSON body. Raises BadInput as ``add`` does."""
        for name in ImageRequest.model_fields:
            if name in request.model_fields_set:
                self._add(name, getattr(request, name))

    def add(self, name: str, text: str) -> None:
        """Add a form field.

        Raises:
            BadInput: there is no such option, it was added before, or its value is not possible.
        """
        self._add(name, getattr(validated(ImageRequest, {name: text}), name))

    async def load_batch(self) -> None:
        """Take the batch's defaults. Raises NotFound or Conflict: nothing can be added to it."""
        if self.batch is not None and self._defaults is None:
            batch_id = validate_id(self.batch)
            self._defaults = await to_thread.run_sync(self._batch_defaults, batch_id)

    def build(self) -> Options:
        """All options with defaults filled in.

        Raises:
            BadInput: they do not go together.
        """
        defaults = {} if self._defaults is None else self._defaults.options
        return self._catalogue.options(**merge_options(defaults, self._values))

    def _retention_s(self) -> int | None:
        own: int | None = self._said.get("expires_in_seconds")
        if own is None and self._defaults is not None:
            own = self._defaults.retention_s
        return retention(own, self._terms.retention_s)

    def _add(self, name: str, value: object) -> None:
        if name in self._values or name in self._said:
            raise BadInput("invalid_option", f"{name} is given twice.", field=name)
        if self._terms.token_id is not None and name in KEY_FIELDS and value is not None:
            raise Denied("forbidden", f"An upload token does not permit {name}.")
        if name in REQUEST_FIELDS:
            self._said[name] = self._parsed(name, value)
            return
        self._values[name] = value
        self._check_alone(name, value)

    def _parsed(self, name: str, value: object) -> object:
        if name == "metadata" and isinstance(value, str):
            return parse_metadata(value)
        if name == "callback_url" and value is not None:
            return self._terms.callback(str(value))
        if name == "expires_in_seconds" and isinstance(value, int):
            return retention(value, self._terms.retention_s)
        return value

    def _check_alone(self, name: str, value: object) -> None:
        """Refuse a value that no other option can make possible, before a photo is read."""
        alone: dict[str, Any] = {name: value}
        if name == "target":  # not every method has each
            methods = [method for method in METHODS.values() if value in method.targets]
            methods.sort(key=lambda method: method.networks)  # those first that need no more
            alone["method"] = methods[0].name if methods else None
        self._catalogue.options(**alone)
