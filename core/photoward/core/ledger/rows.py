"""An item as a row and back: what is a column, what is JSON, what a tombstone keeps.

A newer version may have written the row, while one process after the other is replaced: what it
says in JSON beyond what is known here is passed over.
"""

from __future__ import annotations

import math
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from photoward.core.jobs import Item, Options, Output, Rendition, Source, Stage, State
from photoward.core.rights import STATEMENTS

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Row

    from photoward.core.jobs import Failure, Result

Kept = TypeVar("Kept", Options, Output, Rendition, Source)


def item(row: Row[Any]) -> Item:
    """The item that a full row of ``items`` holds."""
    return Item(
        id=row.id,
        tenant=row.tenant,
        state=State(row.state),
        options=options(row.options),
        source=_read(Source, row.source),
        batch_key=row.batch_key,
        created_at=row.created_at,
        updated_at=row.updated_at,
        attempts=row.attempts,
        stage=Stage(row.stage) if row.stage else None,
        lease=row.lease,
        label_used=row.label_used,
        label_source=row.label_source,
        output=_output(row.output) if row.output else None,
        measured=row.measured,
        error_code=row.error_code,
        error_detail=row.error_detail,
        batch=row.batch,
        trace=row.trace,
    )


def options(kept: dict[str, Any]) -> Options:
    """Options as they were kept."""
    return _read(Options, kept | {"sizes": tuple(kept["sizes"])})


def _output(kept: dict[str, Any]) -> Output:
    further = tuple(_read(Rendition, one) for one in kept.get("renditions", ()))
    return _read(Output, kept | {"renditions": further})


def _read(kind: type[Kept], kept: dict[str, Any]) -> Kept:
    return kind(**{one.name: kept[one.name] for one in fields(kind) if one.name in kept})


def queued(fresh: Item) -> dict[str, Any]:
    """The columns of an item that was just accepted, or whose photo has just come."""
    source = replace(fresh.source, filename=_storable(fresh.source.filename))
    return {
        "id": fresh.id,
        "tenant": fresh.tenant,
        "state": fresh.state,
        "batch_key": fresh.batch_key,
        "megapixels": source.megapixels,
        "options": asdict(fresh.options),
        "source": asdict(source),
        "attempts": fresh.attempts,
        "measured": fresh.measured,
        "created_at": fresh.created_at,
        "updated_at": fresh.updated_at,
        "batch": fresh.batch,
        "trace": fresh.trace,
    }


def done(result: Result) -> dict[str, Any]:
    """The columns that a result fills."""
    return {
        "state": State.DONE,
        "output": _finite(asdict(result.output)),
        "label_used": result.label_used,
        "label_source": result.label_source,
        "measured": _finite(result.measured),
    }


def failed(failure: Failure) -> dict[str, Any]:
    """The columns that a failure fills."""
    return {
        "state": State.FAILED,
        "error_code": failure.code,
        "error_detail": _storable(failure.detail),
    }


def tombstone(old: Item, moment: datetime) -> dict[str, Any]:
    """The columns that hide an item: nothing that tells of the picture or its owner's words."""
    return {
        "options": asdict(old.options) | dict.fromkeys(STATEMENTS, "") | {"label": None},
        "source": asdict(replace(old.source, filename=None, sha256="")),
        "label_used": None,
        "label_source": None,
        "output": None,
        "measured": {},
        "error_detail": None,
        "request": None,
        "trace": None,
        "hidden_at": moment,
    }


def _storable(text: str | None) -> str | None:
    """Text that every database takes: PostgreSQL refuses NUL, both refuse lone surrogates."""
    return text and text.replace("\0", "").encode("utf-8", "replace").decode()


def _finite(value: Any) -> Any:  # noqa: ANN401  # JSON is what it is
    """JSON without what JSON cannot say: an infinite PSNR becomes None."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
