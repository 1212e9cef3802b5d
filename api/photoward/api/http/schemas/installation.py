"""The installation as its operator sees it: queue, throughput, failures, tenants."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from photoward.api.http.pagination import Page
from photoward.core import overview
from photoward.core.errors import PROBLEMS
from photoward.core.jobs import ImageState, Priority, public_counts

_COUNTS = "Images by state; deleted ones count, too."


class QueueLength(BaseModel):
    """What waits."""

    images: int = Field(examples=[12])
    megapixels: float = Field(examples=[144.0])
    oldest_at: datetime | None = Field(
        description="When the image was submitted that has waited longest; null: nothing waits."
    )

    @classmethod
    def of(cls, queue: overview.QueueLength) -> QueueLength:
        """As the ledger gives it."""
        return cls(
            images=queue.items, megapixels=round(queue.megapixels, 3), oldest_at=queue.oldest
        )


class Queue(BaseModel):
    """What waits, by priority."""

    interactive: QueueLength = Field(description="Single uploads, which have priority.")
    bulk: QueueLength = Field(description="Images of batches.")


class HourOfImages(BaseModel):
    """The images that were submitted within an hour."""

    start: datetime
    megapixels: float = Field(examples=[96.5])
    counts: dict[ImageState, int] = Field(description=_COUNTS, examples=[{"succeeded": 7}])


class FailureCount(BaseModel):
    """Images that failed for the same reason."""

    code: str = Field(description="The problem's code.", examples=["corrupt"])
    title: str = Field(examples=["The photo cannot be decoded"])
    count: int = Field(examples=[3])
    last_at: datetime


class Overview(BaseModel):
    """All tenants together, with what was submitted within 24 hours."""

    queue: Queue
    processing: int = Field(description="Images that workers are working on.", examples=[4])
    workers: int = Field(description="Worker processes that are alive.", examples=[2])
    finished_per_minute: float = Field(
        description="Images that have ended, over the last five minutes.", examples=[31.2]
    )
    hours: list[HourOfImages] = Field(
        description="By hour of submission, oldest first; the last one is the current hour."
    )
    failures: list[FailureCount] = Field(description="Most frequent first.")

    @classmethod
    def of(cls, found: overview.Overview) -> Overview:
        """As the ledger gives it."""
        return cls(
            queue=Queue(
                interactive=QueueLength.of(found.queue[Priority.INTERACTIVE]),
                bulk=QueueLength.of(found.queue[Priority.BULK]),
            ),
            processing=found.processing,
            workers=found.workers,
            finished_per_minute=round(found.finished_per_minute, 2),
            hours=[
                HourOfImages(
                    start=hour.start,
                    megapixels=round(hour.megapixels, 3),
                    counts=public_counts(hour.counts),
                )
                for hour in found.hours
            ],
            failures=[
                FailureCount(
                    code=one.code,
                    title=PROBLEMS[one.code].title if one.code in PROBLEMS else one.code,
                    count=one.count,
                    last_at=one.last,
                )
                for one in found.failures
            ],
        )


class Tenant(BaseModel):
    """A tenant with its quota and what it uses."""

    id: str = Field(examples=["alice"])
    weight: float = Field(description="Its share of a busy machine.", examples=[1.0])
    quota_megapixels: float | None = Field(description="Per 24 hours; null: no limit.")
    megapixels: float = Field(description="Submitted within 24 hours.", examples=[412.5])
    active_keys: int = Field(description="API keys that have not expired.", examples=[2])
    queued: QueueLength
    counts: dict[ImageState, int] = Field(
        description=f"Of the last 24 hours. {_COUNTS}", examples=[{"succeeded": 7}]
    )

    @classmethod
    def of(cls, tenant: overview.TenantOverview) -> Tenant:
        """As the ledger gives it."""
        return cls(
            id=tenant.id,
            weight=tenant.weight,
            quota_megapixels=tenant.usage.quota,
            megapixels=round(tenant.usage.megapixels, 3),
            active_keys=tenant.active_keys,
            queued=QueueLength.of(tenant.queued),
            counts=public_counts(tenant.counts),
        )


class TenantPage(Page[Tenant]):
    """Tenants, by name."""
