"""What goes over the wire: the answers' shapes with examples, and the options of an upload.

Knows the domain's objects only to show them; decides nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from photoward.api.http.schemas.measured import Measured
from photoward.core import jobs
from photoward.core.catalogue import (
    DEFAULT_PRESET,
    FORMATS,
    LEAST_SIDE,
    MAX_EPSILON,
    MAX_LABEL,
    METADATA,
    MOST_SIZES,
    PRESETS,
    SHAPINGS,
)
from photoward.core.errors import PROBLEMS
from photoward.core.jobs import FINAL, Item, Stage, State
from photoward.core.rights import CHOICES, DEFAULT

EXAMPLE_ID = "3f2a9c0d5b7e41868d0c6a1f2e9b4d77"
_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

FRACTIONS = {Stage.DECODE: 0.1, Stage.PERTURB: 0.3, Stage.ENCODE: 0.8}
"""Stage → the part of the work that lies behind it, roughly."""


class Problem(BaseModel):
    """A refusal in the form of RFC 9457."""

    type: str = Field(examples=["/problems/not_an_image"])
    title: str = Field(examples=["The file is not an image"])
    status: int = Field(examples=[415])
    detail: str = Field(examples=["The bytes begin like no supported image format."])
    code: str = Field(description="Stable; made for programs.", examples=["not_an_image"])
    remedy: str = Field(examples=["Send a JPEG, PNG, WebP or AVIF file."])
    field: str | None = Field(default=None, description="The option at fault.")
    instance: str | None = Field(default=None, description="This very answer, for the log.")

    @classmethod
    def of(cls, code: str, detail: str, **more: Any) -> Self:  # noqa: ANN401  # passed on as is
        """Fill in what ``PROBLEMS`` knows of the code."""
        known = PROBLEMS[code]
        shown = {"title": known.title, "status": known.status, "remedy": known.remedy, **more}
        return cls(type=f"/problems/{code}", code=code, detail=detail, **shown)


class Requested(BaseModel):
    """The options of an upload, as form fields or query parameters."""

    model_config = ConfigDict(extra="forbid")

    label: Annotated[str | None, Field(
        description=f"What the photo shows, in any 1 to {MAX_LABEL} printable characters. "
        "None: what pretrained networks see in it.", examples=["tabby cat"],
    )] = None  # fmt: skip
    method: Annotated[str | None, Field(
        description="See `GET /v1/methods`.", examples=["sem"]
    )] = None  # fmt: skip
    target: Annotated[str | None, Field(
        description="What the noise says: a secret that is made of the label, or a class. "
        "`GET /v1/methods` lists each method's.",
        examples=["prototype"],
    )] = None  # fmt: skip
    surrogate: Annotated[str | None, Field(description="See `GET /v1/surrogates`.")] = None
    networks: Annotated[str | None, Field(
        description="The set of pretrained networks, see `GET /v1/surrogates`; for methods that "
        "ask one.", examples=["imagenet"],
    )] = None  # fmt: skip
    preset: Annotated[str | None, Field(
        description=f"{', '.join(PRESETS)}; {DEFAULT_PRESET} if nothing is said. `GET /v1/methods` "
        "lists each method's.",
        examples=[DEFAULT_PRESET],
    )] = None  # fmt: skip
    epsilon: Annotated[float | None, Field(
        description=f"Instead of a preset: largest change in 1/255, 1 to {MAX_EPSILON:g}, of "
        "methods that are `bounded`; for `sem+cuda` that of its second half.",
        examples=[8],
    )] = None  # fmt: skip
    output_format: Annotated[str | None, Field(
        description=f"{', '.join(FORMATS)}; the input's own if nothing is said.",
        examples=["png"],
    )] = None  # fmt: skip
    sizes: Annotated[str | None, Field(
        description="For renditions: longer sides in pixels, at least "
        f"{LEAST_SIDE}, up to {MOST_SIZES} of them with commas; for each the photo is shrunk and "
        "then protected, and never enlarged.", examples=["2048,1080,320"],
    )] = None  # fmt: skip
    shaping: Annotated[str | None, Field(
        description="perceptual: within what the eye overlooks, less where a picture is flat and "
        f"none of slow changes; even: all of epsilon everywhere. {SHAPINGS[0]} if nothing is said.",
        examples=["perceptual"],
    )] = None  # fmt: skip
    metadata: Annotated[str | None, Field(
        description=f"What of EXIF to keep beside copyright and artist: {', '.join(METADATA)}, "
        "several with commas. Nothing if nothing is said.", examples=["date,camera"],
    )] = None  # fmt: skip
    data_mining: Annotated[str | None, Field(
        description=f"What the file's XMP says about being trained on: {', '.join(CHOICES)}; "
        f"{DEFAULT} if nothing is said. A stricter word of the photo's own stays.",
        examples=[DEFAULT],
    )] = None  # fmt: skip

    creator: Annotated[str | None, Field(
        description="Who made the photo, for a file that does not say so any more.",
        examples=["Jane Doe"],
    )] = None  # fmt: skip
    credit: Annotated[str | None, Field(
        description="Whom to credit, for a file that does not say so.",
        examples=["Jane Doe / Example Pictures"],
    )] = None  # fmt: skip
    rights: Annotated[str | None, Field(
        description="The copyright notice, for a file that has none.",
        examples=["© 2026 Jane Doe"],
    )] = None  # fmt: skip
    licence_url: Annotated[str | None, Field(
        description="Where the terms of use stand, for a file that does not say so.",
        examples=["https://example.org/licence"],
    )] = None  # fmt: skip


class RequestedImage(Requested):
    """The options of an upload in its query."""

    batch: Annotated[str | None, Field(
        description="The batch that it belongs to; its options are taken where none are given.",
        examples=[EXAMPLE_ID],
    )] = None  # fmt: skip


class RequestedUse(RequestedImage):
    """A photo that was brought in before, and its options."""

    upload: str = Field(description="Its id, as `POST /v1/uploads` gave it.", examples=[EXAMPLE_ID])


BatchName = Annotated[
    str,
    Field(
        max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$", description="For people.",
        examples=["holiday"],
    ),
]  # fmt: skip


class RequestedBatch(BaseModel):
    """A batch that is to be made."""

    model_config = ConfigDict(extra="forbid")

    name: BatchName = ""
    options: Requested = Field(
        default=Requested(), description="For items that do not say otherwise.",
        examples=[{"preset": "strong"}],
    )  # fmt: skip
    items: list[Any] = Field(default=[], description="Photos that are to be fetched.")


def requested_batch(items: dict[str, Any]) -> dict[str, Any]:
    """``RequestedBatch`` as a schema that refers to nothing else; ``items`` is that of its list."""
    schema = whole_schema(RequestedBatch)
    schema["properties"] |= {"items": items}
    return schema


def whole_schema(model: type[BaseModel]) -> dict[str, Any]:
    """A model as a schema that refers to nothing else."""
    schema = model.model_json_schema()
    named = schema.pop("$defs", {})

    def told(node: Any) -> Any:  # noqa: ANN401  # whatever JSON holds
        if isinstance(node, list):
            return [told(one) for one in node]
        if not isinstance(node, dict):
            return node
        meant = named.get(str(node.get("$ref")).removeprefix("#/$defs/"), {})
        own = {name: told(value) for name, value in node.items() if name != "$ref"}
        return told(meant) | own if meant else own

    found: dict[str, Any] = told(schema)
    return found


class RequestedList(Requested):
    """In the query, beside a manifest as NDJSON: the options of items that say no others."""

    name: BatchName = ""


class BatchLinks(BaseModel):
    """Where to go from here."""

    self: str = Field(examples=[f"/v1/batches/{EXAMPLE_ID}"])
    items: str = Field(examples=[f"/v1/batches/{EXAMPLE_ID}/items"])
    results: str = Field(examples=[f"/v1/batches/{EXAMPLE_ID}/results"])
    archive: str = Field(examples=[f"/v1/batches/{EXAMPLE_ID}/archive"])


class Batch(BaseModel):
    """How a batch stands."""

    id: str = Field(examples=[EXAMPLE_ID])
    name: str
    created_at: datetime
    options: dict[str, Any] = Field(
        description="As asked for, for items that do not say otherwise.",
        examples=[{"preset": "strong"}],
    )
    counts: dict[State, int] = Field(
        description="Items by state; deleted ones do not count.", examples=[{"done": 7}]
    )
    total: int = Field(examples=[10])
    ended: int = Field(description="Done, failed or cancelled.", examples=[7])
    rate_per_s: float = Field(description="Items that ended of late.", examples=[2.5])
    eta_s: float | None = Field(
        description="Seconds until all have ended at this rate; none: nobody knows.", examples=[1.2]
    )
    links: BatchLinks

    @classmethod
    def of(cls, batch: jobs.Batch) -> Self:
        """Show a batch."""
        here = f"/v1/batches/{batch.id}"
        eta = batch.eta_s
        return cls(
            id=batch.id, name=batch.name, created_at=batch.created_at,
            options=batch.options, counts=batch.counts, total=batch.total,
            ended=batch.ended, rate_per_s=round(batch.rate_per_s, 2),
            eta_s=None if eta is None else round(eta, 1),
            links=BatchLinks(
                self=here, items=f"{here}/items", results=f"{here}/results",
                archive=f"{here}/archive",
            ),
        )  # fmt: skip


class ManifestLine(BaseModel):
    """What became of a manifest's line."""

    line: int = Field(description="Its number, or its place in the list, from 1.", examples=[1])
    file: str | None = Field(examples=["cats/1.jpg"])
    id: str | None = Field(default=None, description="The item's.", examples=[EXAMPLE_ID])
    problem: Problem | None = Field(default=None, description="Why there is no item.")


class MadeBatch(Batch):
    """A batch at its beginning."""

    lines: list[ManifestLine] = Field(
        default=[], description="What became of each line of a manifest."
    )


class Progress(BaseModel):
    """How far an item is."""

    stage: Stage | None = None
    fraction: float = Field(ge=0, le=1, description="Coarse: it grows in steps.")
    position: int | None = Field(default=None, description="Items before this one in the queue.")


class Chosen(BaseModel):
    """The options after defaults were filled in."""

    model_config = ConfigDict(from_attributes=True)

    method: str = Field(examples=["sem"])
    target: str = Field(examples=["prototype"])
    surrogate: str
    networks: str | None = Field(
        description="The set of pretrained networks, if the method asks one.",
        examples=["imagenet"],
    )
    epsilon: float | None = Field(
        description="In 1/255; none if the method's strength cannot be chosen.", examples=[8]
    )
    preset: str | None = Field(examples=["strong"])
    label: str | None
    output_format: str | None
    sizes: list[int] = Field(examples=[[2048, 1080, 320]])
    shaping: str = Field(examples=[SHAPINGS[0]])
    metadata: str = Field(examples=["date"])
    data_mining: str = Field(examples=[DEFAULT])
    creator: str = Field(examples=["Jane Doe"])
    credit: str = Field(examples=[""])
    rights: str = Field(examples=["© 2026 Jane Doe"])
    licence_url: str = Field(examples=[""])


class SourceFile(BaseModel):
    """The photo as it came."""

    model_config = ConfigDict(from_attributes=True)

    sha256: str = Field(examples=[_SHA256])
    size: int = Field(description="Bytes.", examples=[2_400_381])
    media_type: str = Field(examples=["image/jpeg"])
    width: int = Field(description="Displayed pixels.", examples=[4032])
    height: int = Field(examples=[3024])
    filename: str | None = Field(examples=["cat.jpg"])


class OutputFile(BaseModel):
    """The protected photo."""

    model_config = ConfigDict(from_attributes=True)

    sha256: str = Field(examples=[_SHA256])
    size: int = Field(examples=[3_118_204])
    media_type: str = Field(examples=["image/jpeg"])


def may_repeat(schema: dict[str, Any]) -> None:
    """Of a set: what is named twice is taken as named once."""
    schema.pop("uniqueItems")


class Rendition(BaseModel):
    """One of the sizes that were asked for."""

    width: int = Field(description="Pixels.", examples=[1080])
    height: int = Field(examples=[810])
    sha256: str = Field(examples=[_SHA256])
    size: int = Field(description="Bytes.", examples=[318_204])
    measured: Measured
    content: str = Field(examples=[f"/v1/images/{EXAMPLE_ID}/content?size=1080"])


class Links(BaseModel):
    """Where to go from here."""

    self: str = Field(examples=[f"/v1/images/{EXAMPLE_ID}"])
    content: str | None = Field(examples=[f"/v1/images/{EXAMPLE_ID}/content"])


class Image(BaseModel):
    """One photo on its way, or at its end."""

    id: str = Field(examples=[EXAMPLE_ID])
    state: State = Field(examples=[State.DONE])
    progress: Progress
    created_at: datetime
    updated_at: datetime
    options: Chosen
    source: SourceFile
    output: OutputFile | None = Field(description="The largest, if several sizes were asked for.")
    renditions: list[Rendition] = Field(
        description="Each of `sizes` that the photo is large enough for, largest first."
    )
    measured: Measured
    label_used: str | None = Field(examples=["tabby cat"])
    label_source: Literal["given", "predicted"] | None
    error: Problem | None
    batch: str | None = Field(description="What it was handed in with.")
    links: Links

    @classmethod
    def of(cls, item: Item, position: int | None = None) -> Self:
        """Show an item; ``position`` only for a queued one."""
        here = f"/v1/images/{item.id}"
        done = item.state is State.DONE
        shown = {name: getattr(item, name) for name in _PLAIN}
        return cls(
            **shown,
            progress=Progress(stage=item.stage, fraction=_fraction(item), position=position),
            options=Chosen.model_validate(item.options),
            source=SourceFile.model_validate(item.source),
            output=OutputFile.model_validate(item.output) if done else None,
            renditions=_renditions(item, here) if done else [],
            error=error_of(item),
            links=Links(self=here, content=f"{here}/content" if done else None),
        )


_PLAIN = (
    "id", "state", "created_at", "updated_at", "measured", "label_used", "label_source", "batch"
)  # fmt: skip


def _renditions(item: Item, here: str) -> list[Rendition]:
    """All of them, the largest included; none where no sizes were asked for."""
    if item.output is None or not item.options.sizes:
        return []
    sizes = item.options.leaving(item.source.width, item.source.height)
    figures = (item.measured, *(one.measured for one in item.output.renditions))
    return [
        Rendition(
            width=width, height=height, sha256=file.sha256, size=file.size, measured=measured,
            content=f"{here}/content?size={max(width, height)}",
        )
        for (width, height), file, measured in zip(sizes, item.output.files, figures, strict=True)
    ]  # fmt: skip


def error_of(item: Item, **more: Any) -> Problem | None:  # noqa: ANN401  # passed on as is
    """Why an item failed; None when it did not."""
    if item.state is not State.FAILED:
        return None
    return Problem.of(item.error_code or "internal_error", item.error_detail or "", **more)


def _fraction(item: Item) -> float:
    if item.state in FINAL:
        return 1.0
    return FRACTIONS[item.stage] if item.stage and item.state is State.LEASED else 0.0
