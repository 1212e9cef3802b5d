"""What an item is and which states it may pass through.

The arrows of ``ARROWS`` are the whole state machine; a ledger performs each as a compare-and-set.
Nothing here knows where items are kept.
"""

from __future__ import annotations

import re
import secrets
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Any

from photoward.core.errors import NotFound
from photoward.core.renditions import placements
from photoward.core.rights import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from photoward.core.proofs import NewProof
    from photoward.core.renditions import Placement, RenditionRequest


class State(StrEnum):
    """Where an item stands: ``received`` is what is still to be fetched from where its sender said.

    ``done``, ``failed`` and ``cancelled`` are final.
    """

    RECEIVED = "received"
    QUEUED = "queued"
    LEASED = "leased"
    STORED = "stored"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


TRANSITIONS: dict[State, frozenset[State]] = {
    State.RECEIVED: frozenset({State.QUEUED, State.FAILED, State.CANCELLED}),
    State.QUEUED: frozenset({State.LEASED, State.FAILED, State.CANCELLED}),
    State.LEASED: frozenset({State.STORED, State.QUEUED, State.FAILED, State.CANCELLED}),
    State.STORED: frozenset({State.DONE, State.CANCELLED}),
    State.DONE: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
}

FINAL_STATES = frozenset(state for state, onward in TRANSITIONS.items() if not onward)


class ImageState(StrEnum):
    """An item's state as the API, events and webhooks show it."""

    QUEUED = "queued"
    """Waits to be fetched, or for a worker."""
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_final(self) -> bool:
        """Whether the item stays in it."""
        return self not in {ImageState.QUEUED, ImageState.PROCESSING}

    @property
    def internal(self) -> frozenset[State]:
        """The states that it stands for."""
        return frozenset(state for state, public in PUBLIC_STATES.items() if public is self)


PUBLIC_STATES = {
    State.RECEIVED: ImageState.QUEUED,
    State.QUEUED: ImageState.QUEUED,
    State.LEASED: ImageState.PROCESSING,
    State.STORED: ImageState.PROCESSING,
    State.DONE: ImageState.SUCCEEDED,
    State.FAILED: ImageState.FAILED,
    State.CANCELLED: ImageState.CANCELED,
}


FINAL_IMAGE_STATES = frozenset(state for state in ImageState if state.is_final)


def public_counts(counts: Mapping[State, int]) -> dict[ImageState, int]:
    """Items by public state, without zeros."""
    found: Counter[ImageState] = Counter()
    for state, count in counts.items():
        found[PUBLIC_STATES[state]] += count
    return dict(+found)


MAX_ATTEMPTS = 3
"""An item whose lease ran out this many times ends ``failed: worker_lost``."""


RETRY_WINDOW = timedelta(days=1)
"""How long the original of an item that failed by our fault is kept, to try it again."""


class Priority(IntEnum):
    """Which of the two queues an item is in."""

    INTERACTIVE = 0
    """Submitted by itself: somebody may be waiting for it."""
    BULK = 1
    """Submitted in a batch."""


class Stage(StrEnum):
    """What a leased item is going through; shown as progress."""

    DECODE = "decode"
    PERTURB = "perturb"
    ENCODE = "encode"


def new_id() -> str:
    """An item id: 128 random bits as 32 hexadecimal digits."""
    return secrets.token_hex(16)


def validate_id(found: str, digits: int = 32) -> str:
    """An id, of an item or of another thing. Raises NotFound: nothing can have it."""
    if not re.fullmatch(f"[0-9a-f]{{{digits}}}", found):
        raise NotFound
    return found


@dataclass(frozen=True)
class Options:
    """What was asked for, after the catalogue has filled in and checked everything."""

    method: str
    target: str
    """``prototype``, ``logits``, ``anchor`` or ``filter``."""
    surrogate: str
    epsilon: float | None
    """Budget in 1/255; None for a method whose strength cannot be chosen."""
    preset: str | None
    """The preset that gave ``epsilon``, or None when none did."""
    label: str | None
    """None: the surrogate's own prediction is used, and the item says so."""
    output_format: str | None
    """``jpeg``, ``png``, ``webp``, ``avif``, or None for the input's own."""
    renditions: tuple[RenditionRequest, ...] = ()
    """The files that are wanted; empty: one in the picture's own size."""
    quality: int | str | None = None
    """Of lossy files: 1 to 100, or ``same``: that of the input, if both are JPEGs. None: one at
    which nearly all noise survives."""
    shaping: str = "even"
    """``perceptual``: within the eye's budget; ``even``: all of ε everywhere."""
    keep_exif: str = ""
    """What else of EXIF is kept: date, camera, position; several with commas."""
    data_mining: str = DEFAULT
    """What the file shall say about being trained on: one of ``rights.CHOICES``; a stricter word of
    the original's own stays."""
    networks: str | None = None
    """The set of pretrained networks that the noise is made against; None: the method asks none."""
    creator: str = ""
    """``rights.STATEMENTS``: said where the original says nothing of the kind."""
    credit: str = ""
    rights: str = ""
    licence_url: str = ""
    already_protected: str = "refuse"
    """What becomes of a protected file: ``refuse``, or ``pass``: it is left as it is."""

    def placements(self, width: int, height: int) -> tuple[Placement, ...]:
        """The files that a picture of this size leaves as, the largest first."""
        return placements(self.renditions, width, height)

    def of(self, placement: Placement) -> Options:
        """The options of one of the files alone."""
        return replace(
            self,
            renditions=(),
            output_format=placement.format or self.output_format,
            quality=self.quality if placement.quality is None else placement.quality,
        )


@dataclass(frozen=True)
class Source:
    """The accepted original; of what is still to be fetched only the name is known."""

    sha256: str
    size: int
    """Bytes; 0: it has not arrived."""
    media_type: str
    width: int
    """Displayed pixels, EXIF orientation applied."""
    height: int
    filename: str | None
    protected: bool = False
    """Whether it is an output already, and is to leave as it is."""

    @property
    def megapixels(self) -> float:
        """How large it is."""
        return self.width * self.height / 1e6


@dataclass(frozen=True)
class Output:
    """The protected file."""

    sha256: str
    size: int
    """Bytes."""
    media_type: str
    renditions: tuple[Rendition, ...] = ()
    """What else was asked for, in the order of ``Options.placements``: this file is the first."""

    @property
    def files(self) -> tuple[Output | Rendition, ...]:
        """All of them, itself first."""
        return (self, *self.renditions)


@dataclass(frozen=True)
class Rendition:
    """Another file of the same picture, made of the original as well."""

    width: int
    """Pixels."""
    height: int
    sha256: str
    size: int
    """Bytes."""
    measured: dict[str, Any]
    media_type: str


@dataclass(frozen=True)
class Callback:
    """Where a client wants to be told that one photo or batch has ended."""

    url: str
    base_url: str
    """URL of the service, as the client reached it: links in the message begin with it."""


@dataclass(frozen=True)
class Details:
    """What a client says of a photo or a batch beside its options; none of it changes the file."""

    reference: str | None = None
    """The client's own name for it; several may have the same."""
    metadata: dict[str, str] = field(default_factory=dict)
    """The client's own notes."""
    callback: Callback | None = None
    retention_s: int | None = None
    """Seconds from its end to its deletion; None: it is kept."""
    token_id: str | None = None
    """The upload token that it was submitted with; None: with an API key."""


@dataclass(frozen=True)
class Item:
    """One row of the ledger."""

    id: str
    tenant: str
    state: State
    options: Options
    source: Source
    group_key: str
    """Items with equal keys may be processed together as one job group."""
    created_at: datetime
    updated_at: datetime
    attempts: int = 0
    stage: Stage | None = None
    lease_token: str | None = None
    """Token of the claim that holds the item."""
    label_used: str | None = None
    label_source: str | None = None
    """``given`` or ``predicted``."""
    output: Output | None = None
    measured: dict[str, Any] = field(default_factory=dict)
    error_code: str | None = None
    error_detail: str | None = None
    batch_id: str | None = None
    """The batch that it was submitted in; None: it was submitted by itself."""
    details: Details = field(default_factory=Details)
    expires_at: datetime | None = None
    """When it is deleted; None: it has not ended, or it is kept."""
    traceparent: str | None = None
    """The request that submitted it, as a W3C ``traceparent``; None: tracing was off."""

    @property
    def trace_id(self) -> str | None:
        """Id of the trace to which that request belongs."""
        return self.traceparent and self.traceparent.split("-")[1]


QUOTA_WINDOW = timedelta(days=1)

IDEMPOTENCY_WINDOW = timedelta(days=1)
"""How long a request may be repeated under its Idempotency-Key without being done twice."""


@dataclass(frozen=True)
class QueuedWork:
    """What is queued."""

    items: int = 0
    megapixels: float = 0.0

    def __add__(self, other: QueuedWork) -> QueuedWork:
        """Both."""
        return QueuedWork(self.items + other.items, self.megapixels + other.megapixels)


@dataclass(frozen=True)
class QuotaUsage:
    """What a tenant has handed in of late."""

    megapixels: float
    """In the last ``QUOTA_WINDOW``, deleted photos included."""
    quota: float | None
    """Most of them; None: as many as there is room for."""

    def has_room(self, megapixels: float) -> bool:
        """Whether so many more may come."""
        return self.quota is None or self.megapixels + megapixels <= self.quota


class BatchState(StrEnum):
    """A batch's state as the API shows it."""

    OPEN = "open"
    """Takes photos."""
    CLOSED = "closed"
    """Takes no more; some have not ended."""
    COMPLETED = "completed"
    """Closed, and all of its photos have ended."""


@dataclass(frozen=True)
class BatchDefaults:
    """What holds for a batch's photos that say nothing else."""

    options: dict[str, Any]
    retention_s: int | None = None
    """See ``Details``."""


@dataclass(frozen=True)
class Batch:
    """Items that were handed in as one."""

    id: str
    tenant: str
    name: str
    options: dict[str, Any]
    """What its items are protected with when they do not say otherwise, as it was asked for."""
    created_at: datetime
    counts: dict[State, int]
    """How many of its items stand where (absent: none); deleted ones do not count."""
    rate_per_s: float
    """Items that have ended a second, of late."""
    details: Details = field(default_factory=Details)
    refused: int = 0
    """Photos that were refused when they were submitted to it, and are no items."""
    closed_at: datetime | None = None

    @property
    def state(self) -> BatchState:
        """Whether it takes photos, and whether those that it has have ended."""
        if self.closed_at is None:
            return BatchState.OPEN
        return BatchState.COMPLETED if self.ended == self.total else BatchState.CLOSED

    @property
    def total(self) -> int:
        """How many items it has."""
        return sum(self.counts.values())

    @property
    def ended(self) -> int:
        """How many of them are done, failed or cancelled."""
        return sum(self.counts.get(state, 0) for state in FINAL_STATES)

    @property
    def eta_s(self) -> float | None:
        """Seconds until all have ended, at the rate of late; None: nobody knows."""
        left = self.total - self.ended
        if not left:
            return 0.0
        return left / self.rate_per_s if self.rate_per_s else None


@dataclass(frozen=True)
class Result:
    """What a worker reports for one item of a batch whose output is stored."""

    item_id: str
    output: Output
    label_used: str | None
    label_source: str | None
    measured: dict[str, Any]
    proofs: tuple[NewProof, ...] = ()
    """Of its files, those that were protected now."""


@dataclass(frozen=True)
class Failure:
    """What a worker reports for one item that cannot be protected."""

    item_id: str
    code: str
    detail: str
