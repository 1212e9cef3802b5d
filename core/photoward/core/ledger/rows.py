"""Conversion of items to rows and back: what is a column, what is JSON, what a deleted row keeps.

A newer version may have written the row, while processes are replaced one by one: unknown fields
of its JSON are ignored.
"""

from __future__ import annotations

import math
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from photoward.core.jobs import (
    Callback,
    Details,
    Item,
    Options,
    Output,
    Rendition,
    Source,
    Stage,
    State,
)
from photoward.core.renditions import RenditionRequest, of_side
from photoward.core.rights import STATEMENTS

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Row

    from photoward.core.jobs import Failure, Result

Record = TypeVar("Record", Options, Output, Rendition, RenditionRequest, Source)


def item(row: Row[Any]) -> Item:
    """The item of a full row of ``items``."""
    return Item(
        id=row.id,
        tenant=row.tenant,
        state=State(row.state),
        options=options(row.options),
        source=_read(Source, row.source),
        group_key=row.group_key,
        created_at=row.created_at,
        updated_at=row.updated_at,
        attempts=row.attempts,
        stage=Stage(row.stage) if row.stage else None,
        lease_token=row.lease_token,
        label_used=row.label_used,
        label_source=row.label_source,
        output=_output(row.output) if row.output else None,
        measured=row.measured,
        error_code=row.error_code,
        error_detail=row.error_detail,
        batch_id=row.batch_id,
        details=details(row),
        expires_at=row.expires_at,
        traceparent=row.traceparent,
    )


def details(row: Row[Any]) -> Details:
    """What the client said of an item or a batch."""
    return Details(
        reference=row.reference,
        metadata=row.metadata or {},
        callback=Callback(**row.callback) if row.callback else None,
        retention_s=row.retention_s,
        token_id=getattr(row, "token_id", None),  # a batch has none
    )


def described(new: Details) -> dict[str, Any]:
    """The columns of what the client said of an item or a batch."""
    return {
        "reference": new.reference,
        "metadata": new.metadata or None,
        "callback": None if new.callback is None else asdict(new.callback),
        "retention_s": new.retention_s,
    }


def options(stored: dict[str, Any]) -> Options:
    """Options from their JSON; older ones have the longer sides of their renditions."""
    wanted = tuple(_read(RenditionRequest, one) for one in stored.get("renditions", ()))
    return _read(
        Options, stored | {"renditions": wanted or tuple(map(of_side, stored.get("sizes", ())))}
    )


def _output(stored: dict[str, Any]) -> Output:
    same = {"media_type": stored["media_type"]}  # of older ones all have the same
    renditions = tuple(_read(Rendition, same | one) for one in stored.get("renditions", ()))
    return _read(Output, stored | {"renditions": renditions})


def _read(cls: type[Record], stored: dict[str, Any]) -> Record:
    return cls(**{one.name: stored[one.name] for one in fields(cls) if one.name in stored})


def queued(new: Item) -> dict[str, Any]:
    """The columns of an item that is added, or whose photo was just fetched."""
    source = replace(new.source, filename=_storable(new.source.filename))
    return {
        "id": new.id,
        "tenant": new.tenant,
        "state": new.state,
        "group_key": new.group_key,
        "megapixels": source.megapixels,
        "options": asdict(new.options),
        "source": asdict(source),
        "source_sha256": source.sha256 or None,
        "attempts": new.attempts,
        "measured": new.measured,
        "created_at": new.created_at,
        "updated_at": new.updated_at,
        "batch_id": new.batch_id,
        "traceparent": new.traceparent,
        "token_id": new.details.token_id,
        **described(new.details),
    }


def done(result: Result) -> dict[str, Any]:
    """The columns that a result sets."""
    return {
        "state": State.DONE,
        "output": _finite(asdict(result.output)),
        "label_used": result.label_used,
        "label_source": result.label_source,
        "measured": _finite(result.measured),
    }


def failed(failure: Failure) -> dict[str, Any]:
    """The columns that a failure sets."""
    return {
        "state": State.FAILED,
        "error_code": failure.code,
        "error_detail": _storable(failure.detail),
    }


def tombstone(old: Item, moment: datetime) -> dict[str, Any]:
    """The columns of a deleted item, emptied of all that describes the photo or its owner."""
    return {
        "options": asdict(old.options) | dict.fromkeys(STATEMENTS, "") | {"label": None},
        "source": asdict(replace(old.source, filename=None, sha256="")),
        "label_used": None,
        "label_source": None,
        "output": None,
        "measured": {},
        "error_detail": None,
        "idempotency_key": None,
        "traceparent": None,
        "source_sha256": None,
        "reference": None,
        "metadata": None,
        "callback": None,
        "token_id": None,
        "expires_at": None,
        "deleted_at": moment,
    }


def _storable(text: str | None) -> str | None:
    """Text that both databases accept: PostgreSQL refuses NUL, both refuse lone surrogates."""
    return text and text.replace("\0", "").encode("utf-8", "replace").decode()


def _finite(value: Any) -> Any:  # noqa: ANN401  # JSON is what it is
    """A value that JSON can hold: an infinite PSNR becomes None."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
