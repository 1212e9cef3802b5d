"""Batches: images that were submitted together."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from photoward.api.http.pagination import Page
from photoward.api.http.schemas.images import Image, problem_of
from photoward.api.http.schemas.inline import inline_schema
from photoward.api.http.schemas.problems import Problem
from photoward.api.ingest.archives.importer import FileResult
from photoward.api.ingest.details import CallbackUrl, ExpiresIn, Metadata, MetadataText, Reference
from photoward.api.ingest.manifest import FILE, LineResult
from photoward.api.ingest.options import EXAMPLE_ID, ImageOptions
from photoward.api.ingest.sources import SOURCE_FIELDS
from photoward.core import jobs
from photoward.core.errors import PhotowardError
from photoward.core.jobs import BatchState, ImageState, Item, public_counts

_SOURCES = "; ".join(f"`{name}`: {what}" for name, what in SOURCE_FIELDS.items())
MANIFEST_LIST: dict[str, Any] = {
    "type": "array",
    "description": f"Objects with one source each ({_SOURCES}), optionally `{FILE}`, a file "
    "name, and the options of `POST /v1/images`. Each object is checked by itself.",
    "items": {},
}
MANIFEST_LINES = {"schema": {"type": "string", "description": "The same objects, one per line."}}
MANIFEST_EXAMPLE = [{"key": "inbox/cats/1.jpg", "label": "cat"}]

BatchName = Annotated[
    str,
    Field(
        max_length=128,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        description="A name for people.",
        examples=["holiday"],
    ),
]


class CreateBatch(BaseModel):
    """The request for a batch."""

    model_config = ConfigDict(extra="forbid")

    name: BatchName = ""
    reference: Reference = None
    metadata: Metadata | None = None
    callback_url: CallbackUrl = None
    expires_in_seconds: ExpiresIn = None
    options: ImageOptions = Field(
        default=ImageOptions(),
        description="Defaults for the batch's images.",
        examples=[{"preset": "strong"}],
    )
    images: list[Any] = Field(
        default=[], description="A manifest: photos that the service fetches."
    )


class CreateBatchQuery(ImageOptions):
    """Beside a manifest as NDJSON, in the query: the options of images without their own."""

    name: BatchName = ""
    reference: Reference = None
    metadata: MetadataText = None
    callback_url: CallbackUrl = None
    expires_in_seconds: ExpiresIn = None


class BatchLinks(BaseModel):
    """URLs of the batch."""

    self: str = Field(examples=[f"/v1/batches/{EXAMPLE_ID}"])
    images: str = Field(examples=[f"/v1/batches/{EXAMPLE_ID}/images"])
    results: str = Field(examples=[f"/v1/batches/{EXAMPLE_ID}/results"])
    archive: str = Field(examples=[f"/v1/batches/{EXAMPLE_ID}/archive"])


class Batch(BaseModel):
    """A batch and its progress."""

    id: str = Field(examples=[EXAMPLE_ID])
    name: str
    state: BatchState = Field(
        description="open: takes photos; closed: takes no more, and some have not ended; "
        "completed: closed, and all have ended.",
        examples=[BatchState.OPEN],
    )
    reference: str | None = Field(description="As submitted.", examples=["holiday-2026"])
    metadata: dict[str, str] = Field(description="As submitted.", examples=[{"owner": "17"}])
    created_at: datetime
    options: dict[str, Any] = Field(
        description="Defaults for the batch's images, as requested.",
        examples=[{"preset": "strong"}],
    )
    counts: dict[ImageState, int] = Field(
        description="Images by state; deleted ones do not count.", examples=[{"succeeded": 7}]
    )
    total: int = Field(examples=[10])
    refused: int = Field(
        description="Photos that were refused when they were submitted, and are no images; one "
        "that is sent again counts again.",
        examples=[0],
    )
    ended: int = Field(description="Succeeded, failed or canceled.", examples=[7])
    rate_per_s: float = Field(description="Images that end per second, of late.", examples=[2.5])
    eta_s: float | None = Field(
        description="Seconds until all images have ended, at this rate; null: unknown.",
        examples=[1.2],
    )
    links: BatchLinks

    @classmethod
    def of(cls, batch: jobs.Batch) -> Self:
        """A ledger's batch as the API shows it."""
        here = f"/v1/batches/{batch.id}"
        eta = batch.eta_s
        return cls(
            id=batch.id,
            name=batch.name,
            state=batch.state,
            refused=batch.refused,
            reference=batch.details.reference,
            metadata=batch.details.metadata,
            created_at=batch.created_at,
            options=batch.options,
            counts=public_counts(batch.counts),
            total=batch.total,
            ended=batch.ended,
            rate_per_s=round(batch.rate_per_s, 2),
            eta_s=None if eta is None else round(eta, 1),
            links=BatchLinks(
                self=here,
                images=f"{here}/images",
                results=f"{here}/results",
                archive=f"{here}/archive",
            ),
        )


class BatchPage(Page[Batch]):
    """Batches."""


class ManifestLine(BaseModel):
    """The outcome of one line of a manifest."""

    line: int = Field(description="Number of the line or list entry, from 1.", examples=[1])
    file: str | None = Field(examples=["cats/1.jpg"])
    id: str | None = Field(default=None, description="The image's id.", examples=[EXAMPLE_ID])
    problem: Problem | None = Field(default=None, description="Why the line was refused.")


class CreatedBatch(Batch):
    """A new batch."""

    lines: list[ManifestLine] = Field(
        default=[], description="The outcome of each line of the manifest."
    )


def create_batch_schema() -> dict[str, Any]:
    """``CreateBatch`` for OpenAPI, with the manifest's own description."""
    schema = inline_schema(CreateBatch)
    schema["properties"] |= {"images": MANIFEST_LIST}
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
        "reference": image.reference,
        "metadata": image.metadata,
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
