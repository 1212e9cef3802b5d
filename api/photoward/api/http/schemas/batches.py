"""Batches: images that were submitted together."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from photoward.api.http.schemas.images import Image, problem_of
from photoward.api.http.schemas.inline import inline_schema
from photoward.api.http.schemas.problems import Problem
from photoward.api.ingest.archives.importer import FileResult
from photoward.api.ingest.manifest import FILE, LineResult
from photoward.api.ingest.options import EXAMPLE_ID, ImageOptions
from photoward.api.ingest.sources import SOURCE_FIELDS
from photoward.core import jobs
from photoward.core.errors import PhotowardError
from photoward.core.jobs import Item, State

_SOURCES = "; ".join(f"`{name}`: {what}" for name, what in SOURCE_FIELDS.items())
MANIFEST_LIST: dict[str, Any] = {
    "type": "array",
    "description": f"Objects with one source each ({_SOURCES}), `{FILE}`, its name if not the "
    "source's own, and the options that `POST /v1/images` takes. Each is checked by itself.",
    "items": {},
}
MANIFEST_LINES = {"schema": {"type": "string", "description": "The same, an object a line."}}
MANIFEST_EXAMPLE = [{"key": "inbox/cats/1.jpg", "label": "cat"}]

BatchName = Annotated[
    str,
    Field(
        max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$", description="For people.",
        examples=["holiday"],
    ),
]  # fmt: skip


class CreateBatch(BaseModel):
    """A batch that is to be made."""

    model_config = ConfigDict(extra="forbid")

    name: BatchName = ""
    options: ImageOptions = Field(
        default=ImageOptions(), description="For items that do not say otherwise.",
        examples=[{"preset": "strong"}],
    )  # fmt: skip
    items: list[Any] = Field(default=[], description="Photos that are to be fetched.")


class CreateBatchQuery(ImageOptions):
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


class CreatedBatch(Batch):
    """A batch at its beginning."""

    lines: list[ManifestLine] = Field(
        default=[], description="What became of each line of a manifest."
    )


class BatchImages(BaseModel):
    """A page of a batch's images, in the order of arrival."""

    items: list[Image]
    next: str | None = Field(description="`cursor` of the next page; none after the last.")


def create_batch_schema() -> dict[str, Any]:
    """``CreateBatch`` for OpenAPI, with the manifest's own description."""
    schema = inline_schema(CreateBatch)
    schema["properties"] |= {"items": MANIFEST_LIST}
    return schema


def file_line(result: FileResult) -> dict[str, Any]:
    """What the answer to an archive says of one file."""
    return {"file": result.file, **_outcome(result.outcome)}


def manifest_line(result: LineResult) -> dict[str, Any]:
    """What the answer to a manifest says of one line."""
    outcome = result.outcome
    shown = outcome if isinstance(outcome, PhotowardError) else outcome.item_id
    return {"line": result.number, "file": result.file, **_outcome(shown)}


def result_line(item: Item) -> dict[str, Any]:
    """What a batch's list of results says of one image."""
    image = Image.of(item)
    problem = problem_of(item)
    return {
        "id": item.id,
        "file": item.source.filename,
        "state": image.state,
        "label_used": item.label_used,
        "content": image.links.content,
        "sha256": item.output.sha256 if item.output else None,
        "measured": item.measured,
        "problem": problem.model_dump(exclude_none=True) if problem else None,
    }


def _outcome(outcome: str | PhotowardError) -> dict[str, Any]:
    if isinstance(outcome, str):
        return {"id": outcome}
    return {"problem": Problem.of_error(outcome).model_dump(exclude_none=True)}
