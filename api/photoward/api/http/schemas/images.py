"""Images: the request for one, and how one stands."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from photoward.api.http.pagination import Page
from photoward.api.http.schemas.measurements import Measured
from photoward.api.http.schemas.problems import Problem
from photoward.api.ingest.options import EXAMPLE_ID, ImageBody, ImageRequest
from photoward.api.ingest.sources import SOURCE_FIELDS
from photoward.core.catalogue import REFUSE, SHAPINGS
from photoward.core.jobs import FINAL_STATES, PUBLIC_STATES, ImageState, Item, Stage, State
from photoward.core.rights import DEFAULT

_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

FRACTIONS = {Stage.DECODE: 0.1, Stage.PERTURB: 0.3, Stage.ENCODE: 0.8}
"""Stage → the part of the work that is done when it begins, roughly."""


class CreateImageFromSource(ImageBody):
    """Where a photo is that shall become an image, and its options."""

    upload: str | None = Field(
        default=None,
        description="The id of an upload, from `POST /v1/uploads`.",
        examples=[EXAMPLE_ID],
    )
    url: str | None = Field(
        default=None,
        min_length=1,
        description=SOURCE_FIELDS["url"],
        examples=["https://photos.example/cat.jpg"],
    )
    key: str | None = Field(
        default=None,
        min_length=1,
        description=SOURCE_FIELDS["key"],
        examples=["inbox/cat.jpg"],
    )

    @model_validator(mode="after")
    def _require_one(self) -> Self:
        if sum(one is not None for one in (self.upload, self.url, self.key)) != 1:
            raise ValueError("name one of upload, url and key")
        return self


class ProtectQuery(ImageRequest):
    """The options of `POST /v1/protect`, which waits for the protected file."""

    keep: bool = Field(
        default=False, description="Keep the image; its URL is then in `Content-Location`."
    )


class Progress(BaseModel):
    """The progress of an image."""

    stage: Stage | None = None
    fraction: float = Field(ge=0, le=1, description="It grows in coarse steps.")
    position: int | None = Field(default=None, description="Images before this one in the queue.")


class RequestedRendition(BaseModel):
    """One of the renditions that were asked for."""

    model_config = ConfigDict(from_attributes=True)

    name: str = Field(description="Empty: of `sizes`.", examples=["thumb"])
    width: int | None = Field(examples=[150])
    height: int | None = Field(examples=[150])
    fit: str = Field(examples=["cover"])
    gravity: str = Field(examples=["center"])
    format: str | None = Field(examples=["webp"])
    quality: int | str | None = Field(examples=[82])


class AppliedOptions(BaseModel):
    """The options, with defaults filled in."""

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
    renditions: list[RequestedRendition] = Field(description="What was asked for.")
    quality: int | str | None = Field(examples=[82])
    shaping: str = Field(examples=[SHAPINGS[0]])
    keep_exif: str = Field(examples=["date"])
    data_mining: str = Field(examples=[DEFAULT])
    creator: str = Field(examples=["Jane Doe"])
    credit: str = Field(examples=[""])
    rights: str = Field(examples=["© 2026 Jane Doe"])
    licence_url: str = Field(examples=[""])
    already_protected: str = Field(examples=[REFUSE])


class SourceFile(BaseModel):
    """The original file."""

    model_config = ConfigDict(from_attributes=True)

    sha256: str = Field(examples=[_SHA256])
    size: int = Field(description="Bytes.", examples=[2_400_381])
    media_type: str = Field(examples=["image/jpeg"])
    width: int = Field(description="Displayed pixels.", examples=[4032])
    height: int = Field(examples=[3024])
    filename: str | None = Field(examples=["cat.jpg"])
    protected: bool = Field(
        description="Whether this file was protected already, and was left as it is."
    )


class OutputFile(BaseModel):
    """The protected file."""

    model_config = ConfigDict(from_attributes=True)

    sha256: str = Field(examples=[_SHA256])
    size: int = Field(examples=[3_118_204])
    media_type: str = Field(examples=["image/jpeg"])


class Rendition(BaseModel):
    """One of the requested files."""

    name: str = Field(examples=["thumb"])
    width: int = Field(description="Pixels.", examples=[1080])
    height: int = Field(examples=[810])
    sha256: str = Field(examples=[_SHA256])
    size: int = Field(description="Bytes.", examples=[318_204])
    media_type: str = Field(examples=["image/jpeg"])
    measured: Measured
    content: str = Field(examples=[f"/v1/images/{EXAMPLE_ID}/content?rendition=thumb"])


class Links(BaseModel):
    """URLs of the image."""

    self: str = Field(examples=[f"/v1/images/{EXAMPLE_ID}"])
    content: str | None = Field(examples=[f"/v1/images/{EXAMPLE_ID}/content"])


class Image(BaseModel):
    """An image: its state, its options and, at the end, its result."""

    id: str = Field(examples=[EXAMPLE_ID])
    reference: str | None = Field(description="As submitted.", examples=["post-1042"])
    metadata: dict[str, str] = Field(description="As submitted.", examples=[{"album": "holiday"}])
    state: ImageState = Field(examples=[ImageState.SUCCEEDED])
    progress: Progress
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None = Field(
        description="When it is deleted, its files too; null: it has not ended, or it is kept."
    )
    options: AppliedOptions
    source: SourceFile
    output: OutputFile | None = Field(
        description="The largest file, if several sizes were requested."
    )
    renditions: list[Rendition] = Field(
        description="Each of the requested files, the largest first."
    )
    measured: Measured
    label_used: str | None = Field(examples=["tabby cat"])
    label_source: Literal["given", "predicted"] | None
    error: Problem | None
    batch: str | None = Field(description="The id of its batch.")
    links: Links

    @classmethod
    def of(cls, item: Item, position: int | None = None) -> Self:
        """A ledger's item as the API shows it; ``position``: in the queue, if it is queued."""
        here = f"/v1/images/{item.id}"
        done = item.state is State.DONE
        shown = {name: getattr(item, name) for name in _PLAIN}
        return cls(
            **shown,
            reference=item.details.reference,
            metadata=item.details.metadata,
            state=PUBLIC_STATES[item.state],
            progress=Progress(stage=item.stage, fraction=_fraction(item), position=position),
            options=AppliedOptions.model_validate(item.options),
            source=SourceFile.model_validate(item.source),
            output=OutputFile.model_validate(item.output) if done else None,
            renditions=_renditions(item, here) if done else [],
            error=problem_of(item),
            batch=item.batch_id,
            links=Links(self=here, content=f"{here}/content" if done else None),
        )


class ImagePage(Page[Image]):
    """Images."""


_PLAIN = ("id", "created_at", "updated_at", "expires_at", "measured", "label_used", "label_source")


def _renditions(item: Item, here: str) -> list[Rendition]:
    """All files, the largest included; none if none was requested."""
    if item.output is None or not item.options.renditions:
        return []
    placements = item.options.placements(item.source.width, item.source.height)
    figures = (item.measured, *(one.measured for one in item.output.renditions))
    return [
        Rendition(
            name=one.name,
            width=one.width,
            height=one.height,
            sha256=file.sha256,
            size=file.size,
            media_type=file.media_type,
            measured=measured,
            content=f"{here}/content?rendition={one.name}",
        )
        for one, file, measured in zip(placements, item.output.files, figures, strict=True)
    ]


def problem_of(item: Item, **more: Any) -> Problem | None:  # noqa: ANN401  # passed on as is
    """Why an image failed; None: it has not."""
    if item.state is not State.FAILED:
        return None
    return Problem.of(item.error_code or "internal_error", item.error_detail or "", **more)


def _fraction(item: Item) -> float:
    if item.state in FINAL_STATES:
        return 1.0
    return FRACTIONS[item.stage] if item.stage and item.state is State.LEASED else 0.0
